#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# <permod/percpu.h> as users compile it: by gcc and clang, as C and C++, in several dialects, at all
# levels of optimisation, position-independent or not, with link-time optimisation, and without
# sequences for the architecture (-DPCPU_GENERIC). The programs are the test of the operations
# (with fewer rounds), one of signs and widths, and one in C++; each must give exact results.

. "$(dirname "$0")/percpu/run.sh"

check_libs=$(pkg-config --libs check 2> "$work/log")

# The operations, built in this way.
operations() {
	way=$1
	shift
	build_and_run "operations: $way" "$@" $warnings -DQUICK -I"$top_srcdir" \
		"$top_srcdir/tests/test_percpu_ops.c" "$static" $check_libs
}

# The C++ program, two files of it.
cplusplus() {
	way=$1
	shift
	if quietly "$@" $warnings -DSECOND_FILE -I"$top_srcdir/include" -c "$here/operations.cc" \
		-o "$work/second.o"; then
		build_and_run "C++: $way, shared" "$@" $warnings "$here/operations.cc" \
			"$work/second.o" $shared
		build_and_run "C++: $way, archive" "$@" $warnings "$here/operations.cc" \
			"$work/second.o" "$static"
	else
		not_ok "C++: $way"
	fi
}

for compiler in "$CC" $second; do
	if [ -z "$check_libs" ]; then
		skip "operations" "Check is not installed"
		break
	fi
	for level in -O0 -O1 -O2 -O3 -Os; do
		operations "$compiler $level" $compiler -std=gnu11 $level
	done
	operations "$compiler -fPIC" $compiler -O2 -fPIC -pie
	operations "$compiler -fno-pie" $compiler -O2 -fno-pie -no-pie
	operations "$compiler -static" $compiler -O2 -static
	operations "$compiler -std=gnu99" $compiler -O2 -std=gnu99
	operations "$compiler -ffunction-sections --gc-sections" $compiler -O2 -ffunction-sections \
		-fdata-sections -Wl,--gc-sections
	echo 'int unused;' > "$work/empty.c"
	for protections in "-fstack-protector-all -fcf-protection=full" -fstack-protector-all ""; do
		! quietly $compiler $warnings $protections -c "$work/empty.c" -o "$work/empty.o" || break
	done
	operations "$compiler without frame pointer, all protections" $compiler -O2 \
		-fomit-frame-pointer $protections
	operations "$compiler -DPCPU_GENERIC" $compiler -O2 -DPCPU_GENERIC
done
[ -z "$check_libs" ] || operations "$CC -flto" $CC -O2 -flto

# The structures, built in this way: their tests, in one mode and with fewer rounds.
structures() {
	way=$1
	shift
	for structure in counter ref list; do
		build_and_run "percpu_$structure: $way" "$@" $warnings -DQUICK -I"$top_srcdir" \
			"$top_srcdir/tests/test_percpu_$structure.c" "$static" $check_libs
	done
}

PERCPU_TEST_MODE=libc
export PERCPU_TEST_MODE
if [ -n "$check_libs" ]; then
	structures "$CC -O0" $CC -std=gnu11 -O0
	structures "$CC -O3 -flto" $CC -O3 -flto
	structures "$CC -DPCPU_GENERIC" $CC -O2 -DPCPU_GENERIC
	[ -z "$second" ] || structures "$second -O3 -fPIC" $second -O3 -fPIC -pie
fi
unset PERCPU_TEST_MODE

# Signs and widths of operands and variables; C++ has other rules for literals and for characters.
signs() {
	way=$1
	shift
	build_and_run "signs: $way" "$@" $warnings -Wno-sign-compare -Wno-conversion \
		"$here/signs.c" -x none "$static"
}

for compiler in "$CC -x c" ${second:+"$second -x c"} ${CXX:+"$CXX -x c++"}; do
	for level in -O0 -O2; do
		signs "$compiler $level" $compiler $level
	done
done

[ -n "$CXX" ] || skip "C++" "no C++ compiler"
for compiler in ${CXX:+"$CXX"} ${second:+"${second}++"}; do
	if ! command -v ${compiler%% *} > "$work/log"; then
		skip "C++: $compiler" "not installed"
		continue
	fi
	for options in "-std=c++11 -O0" "-std=c++17 -O2 -fPIC" "-std=c++20 -O3"; do
		cplusplus "$compiler $options" $compiler $options
		build_and_run "C++: structures, $compiler $options" $compiler $options $warnings \
			"$here/structures.cc" $shared
	done
done

# What a C compiler in its strictest mode says of a file that does no more than include it.
for header in percpu percpu_counter percpu_list percpu_ref; do
	printf '#include <permod/%s.h>\nint unused;\n' $header > "$work/only.c"
	for compiler in "$CC" $second; do
		check "only included: $header, $compiler" $compiler -std=c11 $warnings \
			-Wpointer-arith -Wstrict-prototypes -Wwrite-strings -Wundef \
			-I"$top_srcdir/include" -c "$work/only.c" -o "$work/only.o"
	done
done

# A variable of a size that no operation has is refused with a reason.
printf '#include <permod/percpu.h>\nDEFINE_PER_CPU(char[3], v);\nvoid f(void);\nvoid f(void) { this_cpu_inc(*(char (*)[3])&v); }\n' > "$work/bad.c"
printf '#include <permod/percpu.h>\nstruct s { char c[16]; };\nDEFINE_PER_CPU(struct s, v);\nstruct s f(void);\nstruct s f(void) { return this_cpu_read(v); }\n' > "$work/bad2.c"
printf '#include <permod/percpu.h>\nDEFINE_PER_CPU(char, v);\nDEFINE_PER_CPU(short, w);\nint f(void);\nint f(void) { return this_cpu_cmpxchg_double(v, w, 0, 0, 0, 0); }\n' > "$work/pair.c"
if quietly $CC -I"$top_srcdir/include" -c "$work/pair.c" -o "$work/bad.o" ||
	! grep -q "needs two variables of the same size" "$work/log"; then
	not_ok "a pair of two sizes is refused"
else
	ok "a pair of two sizes is refused"
fi
printf '#include <permod/percpu.h>\nDEFINE_PER_CPU(long[2], v);\nint f(void);\nint f(void) { return this_cpu_cmpxchg_double(v[0], v[1], 0, 0, 0, 0); }\n' > "$work/pair.c"
if quietly $CC -DPCPU_GENERIC -I"$top_srcdir/include" -c "$work/pair.c" -o "$work/bad.o" ||
	! grep -q "takes smaller words only" "$work/log"; then
	not_ok "a pair that the architecture can't do is refused"
else
	ok "a pair that the architecture can't do is refused"
fi
for file in bad bad2; do
	if quietly $CC -I"$top_srcdir/include" -c "$work/$file.c" -o "$work/bad.o" ||
		! grep -q "a this_cpu operation needs a variable of 1, 2, 4 or 8 bytes" "$work/log"; then
		not_ok "wrong size is refused: $file"
	else
		ok "wrong size is refused: $file"
	fi
done

finish
