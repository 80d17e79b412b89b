#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Features of languages and of linking, each a small program in tests/features/: built by every
# compiler that there is in many ways, loaded as an object and as an archive, and its output held
# against that of the same objects linked to a program. matrix.py does it and says how.

. "$(dirname "$0")/shell.sh"

# The host that is built here knows nothing of the sanitizers that the libraries may be built with.
if nm -D "$libs/libpermod.so" | grep -q '__[atu][a-z]*san_'; then
    skip "all" "the libraries are built with a sanitizer"
    exit 77
fi

python3 "$top_srcdir/tests/features/matrix.py" "$libs" "$CC" "$CXX" "$CLANG" || failed=1
exit $failed
