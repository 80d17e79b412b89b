/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams of the C++ library, which are its data.
 * matrix: refused ^(?!.*large|clang.*medium).*-fno-pie => compile with -fPIC
 */
#include <iostream>
#include <sstream>

extern "C" void cxx_streams()
{
	std::ostringstream text;

	text << 1 << " and " << 2.5 << '\n';
	std::cout << text.str() << std::flush;
}
