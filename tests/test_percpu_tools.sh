#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# valgrind and AddressSanitizer know our allocations: they report an access behind an area's end or
# after it was freed, and valgrind an area that nobody can free any more; of a program that makes no
# such mistake they say nothing.

. "$(dirname "$0")/percpu/run.sh"
unset PERCPU_CHECK # which tools choose by themselves

installed() {
	command -v "$1" > "$work/log" 2>&1
}

# reports NAME TEXT COMMAND...: the command fails, and its output has the text.
reports() {
	name=$1
	text=$2
	shift 2
	if quietly "$@"; then
		echo "it ended well" >> "$work/log"
		not_ok "$name"
	elif grep -qE "$text" "$work/log"; then
		ok "$name"
	else
		not_ok "$name"
	fi
}

# compile PROGRAM COMPILER ARGUMENT...
compile() {
	output=$1
	shift
	quietly "$@" $warnings -g -O1 -I"$top_srcdir/include" -o "$output" "$here/misuse.c" $static -pthread
}

if ! installed valgrind; then
	skip valgrind "it is not installed"
elif [ "${CC#*clang}" != "$CC" ]; then
	skip valgrind "version 3.19 does not read the debugging information of clang 14"
elif ! compile "$work/plain" $CC; then
	not_ok "compile for valgrind"
else
	memcheck="valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"
	check "valgrind: a right program" $memcheck "$work/plain" fine
	check "valgrind: an area that is kept" $memcheck "$work/plain" kept
	reports "valgrind: a write behind the end" "Invalid write of size 1" $memcheck "$work/plain" overrun
	reports "valgrind: a read behind the end" "Invalid read of size 1" $memcheck "$work/plain" overread
	reports "valgrind: a write after the free" "Invalid write of size 1" $memcheck "$work/plain" use-after-free
	reports "valgrind: a read after the free" "Invalid read of size 1" $memcheck "$work/plain" read-after-free
	reports "valgrind: a lost area" "52 bytes in 1 blocks are definitely lost" $memcheck "$work/plain" lost
fi

for compiler in "$CC" $second; do
	kind=$(basename "$compiler")
	installed "$compiler" || continue
	if ! has_glibc; then
		skip "$kind: AddressSanitizer" "compilers have it for glibc alone"
		continue
	fi
	if ! compile "$work/$kind-asan" $compiler -fsanitize=address; then
		skip "$kind: AddressSanitizer" "it does not compile"
		continue
	fi
	check "$kind, ASan: a right program" "$work/$kind-asan" fine
	reports "$kind, ASan: a write behind the end" "AddressSanitizer: use-after-poison" "$work/$kind-asan" overrun
	reports "$kind, ASan: a read behind the end" "AddressSanitizer: use-after-poison" "$work/$kind-asan" overread
	reports "$kind, ASan: a write after the free" "AddressSanitizer: use-after-poison" "$work/$kind-asan" use-after-free
	reports "$kind, ASan: a read after the free" "AddressSanitizer: use-after-poison" "$work/$kind-asan" read-after-free
done

finish
