/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the C++ library has: strings, containers, algorithms, smart pointers, functions.
 */
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

extern "C" void cxx_library()
{
	std::vector<std::string> words{ "pear", "apple", "a fruit with a long name", "fig" };
	std::map<std::string, int> lengths;
	std::shared_ptr<int> shared = std::make_shared<int>(5);
	std::vector<std::function<int(int)>> functions;

	std::sort(words.begin(), words.end());
	for (const std::string &word : words)
		lengths[word] = static_cast<int>(word.size());
	for (const auto &entry : lengths)
		std::printf("%s %d\n", entry.first.c_str(), entry.second);
	functions.push_back([shared](int value) { return value + *shared; });
	functions.push_back([&lengths](int value) { return value * lengths["fig"]; });
	functions.emplace_back(std::negate<int>());
	for (const auto &function : functions)
		std::printf("%d\n", function(10));
	std::printf("%ld %s\n", shared.use_count(), std::to_string(12.5).c_str());
}
