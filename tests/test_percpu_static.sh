#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Static per-CPU variables: programs in every form, linked by GNU ld, gold, lld and mold, as
# position-independent, fixed and static programs; programs without such variables; shared objects
# that are linked or opened; direct access in programs built strictly; set-up, pages and conversion
# of the program's own; nearness to libc.

. "$(dirname "$0")/percpu/run.sh"

flags="-std=gnu11 -O2 -g $warnings -Wstrict-prototypes -Wmissing-prototypes"
include="-I$top_srcdir/include"

# compile OBJECT ARGUMENT...: a step towards a test; if it fails, the tests that need it fail.
compile() {
	object=$1
	shift
	quietly "$@" $flags $include -o "$work/$object" || not_ok "compile $object: $*"
}

# program TITLE COMPILER FLAGS LIBRARY LINKER-FLAGS: forms.c, its two files.
program() {
	compile second.o $2 $3 -DSECOND_FILE -c "$here/forms.c"
	build_and_run "$1" $2 $flags $3 "$here/forms.c" "$work/second.o" $4 $5
}

# ---- Linkers and kinds of programs ------------------------------------------------------------

for linker in bfd gold lld mold; do
	if ! has_linker $linker; then
		skip "linker $linker" "there is no ld.$linker"
		continue
	fi
	for kind in "-fPIE -pie" "-fno-pie -no-pie" "-fPIC -pie" "-O0 -fPIE -pie"; do
		program "$linker, $kind, shared library" "$CC" "$kind" "$shared" -fuse-ld=$linker
		program "$linker, $kind, archive" "$CC" "$kind" "$static" -fuse-ld=$linker
	done
	if makes_static -static -fuse-ld=$linker; then
		program "$linker, -static" "$CC" "-fno-pie" "$static" "-static -fuse-ld=$linker"
		build_and_run "$linker, no static variables, static" $CC $flags -static \
			"$here/none.c" "$static" -fuse-ld=$linker
	else
		skip "$linker, -static" "the compiler can't"
	fi
	if [ $linker = gold ]; then
		skip "gold, -static-pie" "gold does not know the option --no-dynamic-linker"
	elif ! makes_static -fPIE -static-pie; then
		skip "$linker, -static-pie" "the compiler can't"
	else
		program "$linker, -static-pie" "$CC" "-fPIE" "$static" \
			"-static-pie -fuse-ld=$linker"
	fi
	program "$linker, --gc-sections" "$CC" "-ffunction-sections -fdata-sections" "$shared" \
		"-Wl,--gc-sections -fuse-ld=$linker"
	program "$linker, relro and lazy binding" "$CC" "-fPIE -pie" "$shared" \
		"-Wl,-z,relro -Wl,-z,lazy -fuse-ld=$linker"
	for kind in "" -DNO_HEADER; do
		build_and_run "$linker, no static variables $kind" $CC $flags $kind "$here/none.c" \
			$shared -fuse-ld=$linker
		build_and_run "$linker, no static variables $kind, archive" $CC $flags $kind \
			"$here/none.c" "$static" -fuse-ld=$linker
	done
done
if [ -n "$CLANG" ] && command -v "$CLANG" > "$work/log"; then
	program "clang, shared library" "$CLANG" "" "$shared"
	program "clang, static" "$CLANG" "" "$static" -static
else
	skip "clang" "not installed"
fi
program "link-time optimisation" "$CC" -flto "$shared"
program "link-time optimisation, static" "$CC" -flto "$static" -static

# ---- Strict: every direct access traps ---------------------------------------------------------

# strict TITLE COMPILER LINKER-FLAGS: strict.c, its two files.
strict() {
	compile second.o $2 -DPCPU_STRICT -DSECOND_FILE -c "$here/strict.c"
	build_and_run "$1" $2 $flags -DPCPU_STRICT "$here/strict.c" "$work/second.o" $3
}

for linker in bfd gold lld mold; do
	has_linker $linker || continue
	strict "strict, $linker" "$CC" "$shared -fuse-ld=$linker"
	strict "strict, $linker, fixed" "$CC -fno-pie" "-no-pie $static -fuse-ld=$linker"
	! makes_static -static -fuse-ld=$linker ||
		strict "strict, $linker, static" "$CC -fno-pie" "-static $static -fuse-ld=$linker"
	strict "strict, $linker, relro, sections collected" "$CC -fdata-sections -ffunction-sections" \
		"$static -Wl,-z,relro,-z,now,--gc-sections -fuse-ld=$linker"
	compile object2.o $CC -fPIC -DPCPU_STRICT -DSECOND_FILE -c "$here/strict.c"
	compile object.so $CC -fPIC -shared -DPCPU_STRICT -DOBJECT "$here/strict.c" \
		"$work/object2.o" $shared -fuse-ld=$linker
	! has_glibc || strict "strict, $linker, shared object" "$CC -DOPEN=\"$work/object.so\"" \
		"$shared -fuse-ld=$linker"
	build_and_run "strict, $linker, no static variables" $CC $flags -DPCPU_STRICT \
		"$here/none.c" $shared -fuse-ld=$linker
	compile second.o $CC -DSECOND_FILE -c "$here/strict.c"
	build_and_run "not strict, $linker" $CC $flags "$here/strict.c" "$work/second.o" $shared \
		-fuse-ld=$linker
done
[ -z "$CLANG" ] || strict "strict, clang" "$CLANG" "$shared"
if [ -n "$CXX" ]; then
	quietly $CXX $include -DPCPU_STRICT -DSECOND_FILE -c "$here/operations.cc" -o "$work/second.o"
	build_and_run "strict, C++" $CXX $warnings -DPCPU_STRICT "$here/operations.cc" \
		"$work/second.o" $shared
fi
strict "strict, link-time optimisation" "$CC -flto" "$shared"

# ---- Nearness, wherever the kernel puts things -------------------------------------------------

near() {
	for run in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$@" $EMULATOR "$work/near" near || return 1
	done
}

compile second.o $CC -DSECOND_FILE -c "$here/forms.c"
for kind in "-pie $shared" "-no-pie $shared" "-pie $static" "-static $static" "-static-pie $static"; do
	case $kind in -static-pie*) makes_static -fPIE -static-pie || continue ;; esac
	compile near $CC "$here/forms.c" "$work/second.o" $kind -pthread
	title=$(echo "$kind" | sed 's/ .*\// /;s/,.*//')
	near env > "$work/log" 2>&1 && ok "near libc: $title" || not_ok "near libc: $title"
	case $kind in
	-static-pie*) ;; # now and then too near to the stack for so large a unit
	*)
		is_wide || continue
		near env PERCPU_UNIT=4G > "$work/log" 2>&1 && ok "near libc: $title, large unit" ||
			not_ok "near libc: $title, large unit"
		;;
	esac
	for layout in -R -L; do
		if is_native && setarch "$(uname -m)" $layout true 2> "$work/log"; then
			near setarch "$(uname -m)" $layout > "$work/log" 2>&1 &&
				ok "near libc: $title, setarch $layout" ||
				not_ok "near libc: $title, setarch $layout"
		else
			skip "near libc: $title, setarch $layout" "setarch does not work here"
		fi
	done
done

# ---- Shared objects ----------------------------------------------------------------------------

# plugin FILE ARGUMENT...: a shared object, its two files.
plugin() {
	file=$1
	shift
	compile second.o $CC -fPIC -DSECOND_FILE "$@" -c "$here/plugin.c"
	compile "$file" $CC -fPIC -shared "$@" "$here/plugin.c" "$work/second.o" $shared
}

plugin small.so
plugin middle.so -DSIZE=3000
plugin large.so -DSIZE=500000
compile host $CC "$here/host.c" $shared
compile bare $CC -DBARE "$here/host.c"
if has_glibc; then
	check "shared object opened 1 000 times" $EMULATOR "$work/host" "$work/small.so"
	check "three shared objects opened 1 000 times" $EMULATOR "$work/host" "$work/small.so" \
		"$work/large.so" "$work/middle.so"
	check "shared object opened by a program that knows nothing of it" $EMULATOR "$work/bare" \
		"$work/small.so"
	check "three of them" $EMULATOR "$work/bare" "$work/small.so" "$work/large.so" "$work/middle.so"
else
	skip "shared objects opened 1 000 times" "this C library unloads nothing"
	skip "shared object opened by a program that knows nothing of it" \
		"this C library has no room at a fixed distance for threads' areas of what comes later"
fi
for linker in gold lld mold; do
	has_linker $linker && has_glibc || continue
	plugin small.so -fuse-ld=$linker
	check "shared object by $linker opened 1 000 times" $EMULATOR "$work/host" "$work/small.so"
done

plugin libfirst.so -DNAME=first
plugin libsecond.so -DNAME=second -DSIZE=5000
linked="$work/libfirst.so $work/libsecond.so -Wl,-rpath,$work"
build_and_run "linked shared objects" $CC $flags "$here/linked.c" $linked $shared
build_and_run "linked shared objects, library first" $CC $flags "$here/linked.c" $shared $linked
build_and_run "linked shared objects, fixed program" $CC $flags -fno-pie -no-pie "$here/linked.c" \
	$linked $shared
build_and_run "linked shared objects, none of its own" $CC $flags -DNO_OWN "$here/linked.c" \
	$linked $shared

# The message when the reserved region is too small.
if PERCPU_RESERVED=64 quietly $EMULATOR "$work/host" "$work/large.so" ||
	! grep -q "reserved region of 64; set PERCPU_RESERVED higher" "$work/log"; then
	not_ok "no room for a shared object's variables is said"
else
	ok "no room for a shared object's variables is said"
fi

# ---- The program's own set-up ------------------------------------------------------------------

for library in "$shared" "$static" "-static $static"; do
	title=$(echo "$library" | sed 's/\/.*\///;s/ -Wl.*//')
	build_and_run "own set-up: $title" $CC $flags "$here/own_setup.c" $library
	for case in "FAIL:No such device" "SKIP:Invalid argument" "TOO_SMALL:static"; do
		rm -f "$work/program"
		compile program $CC "-D${case%%:*}" "$here/own_setup.c" $library -pthread
		if quietly $EMULATOR "$work/program" || ! grep -q "^libpercpu: .*${case#*:}" "$work/log"; then
			not_ok "own set-up, ${case%%:*}: $title"
		else
			ok "own set-up, ${case%%:*}: $title"
		fi
	done
done

for library in "$shared" "$static" "-static $static"; do
	title=$(echo "$library" | sed 's/\/.*\///;s/ -Wl.*//')
	build_and_run "own pages: $title" $CC $flags "$here/own_pages.c" $library
	if PERCPU_DEBUG=1 quietly $EMULATOR "$work/program" && grep -q "^percpu: Paged " "$work/log"; then
		ok "own pages are told: $title"
	else
		not_ok "own pages are told: $title"
	fi
	compile program $CC -DFAIL "$here/own_pages.c" $library -pthread
	if quietly $EMULATOR "$work/program" || ! grep -q "^libpercpu: .*No space left" "$work/log"; then
		not_ok "own pages, no more: $title"
	else
		ok "own pages, no more: $title"
	fi
	build_and_run "own conversion: $title" $CC $flags "$here/own_conversion.c" $library
done

finish
