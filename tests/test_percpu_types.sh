#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `__percpu` is checked: sparse, gcc and clang have nothing to say of right code, and refuse each wrong
# use. Headers and samples are clean.

. "$(dirname "$0")/percpu/run.sh"

include="-I$top_srcdir/include"
c="-std=gnu11 -Wall -Wextra -Werror"
# Functions of modules are found by name; and sparse does not know an attribute of libc's headers.
sparse="sparse -Wno-decl -Wno-unknown-attribute $include"
right=$here/types_right.c
wrong=$here/types_wrong.c
count=$(grep -c "if WRONG ==" "$wrong")

# sparse's exit status tells of errors only.
says_nothing() {
	quietly "$@" && ! [ -s "$work/log" ]
}

# No code by the segment register, which is what direct accesses become.
has_no_gs() {
	timeout 60 "$@" -O0 -w -S -o "$work/code" > "$work/log" 2>&1 &&
		! grep "%gs:" "$work/code" > "$work/log"
}

# passes NAME COMPILER FILE
passes() {
	if quietly $2 $c -DPCPU_STRICT_TYPES $include -fsyntax-only "$3" &&
		has_no_gs $2 -DPCPU_STRICT_TYPES $include "$3"; then
		ok "$1"
	else
		not_ok "$1"
	fi
}

# What a compiler can't tell: clang, a comparison; gcc, an element of an array variable.
is_known() {
	case "$1 $2" in
	*clang*" 14" | *gcc*" 20") return 0 ;;
	*) return 1 ;;
	esac
}

for compiler in "$CC" $second; do
	if ! echo | $compiler -dM -E - | grep -q __SEG_GS; then
		skip "$compiler" "it has no address spaces here"
		continue
	fi
	passes "right: $compiler" "$compiler" "$right"
	for header in percpu permod module; do
		echo "#include <permod/$header.h>" > "$work/only.c"
		passes "permod/$header.h: $compiler" "$compiler" "$work/only.c"
	done
	for sample in "$top_srcdir"/samples/*.c; do
		passes "${sample##*/}: $compiler" "$compiler" "$sample"
	done
	for number in $(seq "$count"); do
		name="wrong use $number: $compiler"
		if ! quietly $compiler $c $include "-DWRONG=$number" -c "$wrong" -o "$work/wrong.o"; then
			not_ok "$name (unchecked, it must compile)"
		elif quietly $compiler $c $include "-DWRONG=$number" -DPCPU_STRICT_TYPES -fsyntax-only \
			"$wrong" && has_no_gs $compiler $include "-DWRONG=$number" \
			-DPCPU_STRICT_TYPES "$wrong"; then
			if is_known "$compiler" "$number"; then
				skip "$name" "this compiler does not tell"
			else
				not_ok "$name"
			fi
		else
			ok "$name"
		fi
	done
	passes "no wrong use: $compiler" "$compiler -DWRONG=0" "$wrong"
	build_and_run "right, as a program: $compiler" $compiler $c "$right" $shared
done

if command -v sparse > "$work/log"; then
	for file in "$right" "$top_srcdir"/samples/*.c; do
		if says_nothing $sparse "$file"; then
			ok "${file##*/}: sparse"
		else
			not_ok "${file##*/}: sparse"
		fi
	done
	for header in percpu permod module; do
		echo "#include <permod/$header.h>" > "$work/only.c"
		if says_nothing $sparse -Wsparse-all "$work/only.c"; then
			ok "permod/$header.h: sparse"
		else
			not_ok "permod/$header.h: sparse"
		fi
	done
	for number in $(seq "$count"); do
		quietly $sparse "-DWRONG=$number" "$wrong"
		if grep -q "address spaces\|noderef" "$work/log"; then
			ok "wrong use $number: sparse"
		else
			not_ok "wrong use $number: sparse"
		fi
	done
	if says_nothing $sparse -DWRONG=0 "$wrong"; then
		ok "no wrong use: sparse"
	else
		not_ok "no wrong use: sparse"
	fi
else
	skip "sparse" "not installed"
fi

finish
