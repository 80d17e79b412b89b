#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Per-CPU memory from the first instruction of a process to its last: in constructors of libraries
# that are initialised before libpercpu, in a malloc that is called before any constructor, in
# destructors and atexit() handlers, after others' are over; and opened late, by a process that knows
# nothing of it and has threads already.

. "$(dirname "$0")/percpu/run.sh"

flags="-std=gnu11 -O2 -g $warnings -I$top_srcdir/include"

# build FILE ARGUMENT...: a step towards a test; if it fails, so does this.
build() {
	file=$1
	shift
	quietly $CC $flags "$@" -o "$work/$file" || not_ok "build $file"
}

# ends_well TITLE LINES COMMAND...: exit status 42 of main(), and these last words.
ends_well() {
	title=$1
	lines=$2
	shift 2
	timeout 60 "$@" > "$work/out" 2> "$work/log"
	status=$?
	cat "$work/out" >> "$work/log"
	if [ $status = 42 ] && [ "$(cat "$work/out")" = "$(printf "$lines")" ]; then
		ok "$title"
	else
		echo "status $status" >> "$work/log"
		not_ok "$title"
	fi
}

# holds TITLE FUNCTION
holds() {
	if $2 > "$work/log" 2>&1; then ok "$1"; else not_ok "$1"; fi
}

# ---- Constructors and destructors --------------------------------------------------------------

early=$here/early.c
build second.o -fPIC -DSECOND_FILE -c "$early"
build object.o -fPIC -DOBJECT -c "$early"
build program.o -c "$early"
build linked.o -DLINKED -c "$early"
build libbelow.so -fPIC -shared -DBELOW "$early"
rpath="-Wl,-rpath,$work -Wl,-rpath,$libs"
# The object does not say that it needs libpercpu, so nothing sees to that it comes second.
build libobject.so -shared -fPIC "$work/object.o" "$work/second.o" "$work/libbelow.so" $rpath

for library in "$shared" "$static" "-static $static" "-flto $shared"; do
	title=$(echo "$library" | sed 's/\/.*\///;s/ -Wl.*//')
	build program "$work/program.o" "$work/second.o" $library -pthread
	ends_well "program: $title" "program ended\n" $EMULATOR "$work/program"
	ends_well "program, atomic: $title" "program ended\n" env PERCPU_OPS=atomic $EMULATOR \
		"$work/program"
done

# with VARIABLE=VALUE: what sets it for a program, but not for an emulator.
with() {
	echo "${EMULATOR:-env}${EMULATOR:+ -E} $1"
}

three="object ended\ncalled after the object's end\n"
for order in "$work/libobject.so $shared" "$shared $work/libobject.so"; do
	title=$(echo "$order" | sed 's/[^ ]*\///g;s/ -Wl[^ ]*//')
	build program -Wl,--no-as-needed "$work/linked.o" "$work/second.o" $order $rpath -pthread
	ends_well "linked: $title" "program ended\n$three" $EMULATOR "$work/program"
	$(with LD_DEBUG=files) "$work/program" 2>&1 | sed -n 's/.*calling init: .*\/\([^/]*\)$/\1/p' |
		grep "^libobject\|^libpercpu" > "$work/log"
	head -n 1 "$work/log" >> "$work/first"
done
# One of the orders has the object first: otherwise nothing was tried.
cp "$work/first" "$work/log"
if has_glibc; then
	check "an object was initialised before libpercpu" grep -q "^libobject" "$work/first"
else
	skip "an object was initialised before libpercpu" "this C library tells no order (LD_DEBUG)"
fi

build program -DOPEN="\"$work/libobject.so\"" "$early" "$work/second.o" $shared -pthread
# What is opened ends after the program in glibc; elsewhere what began last ends first.
if has_glibc; then last="program ended\n$three"; else last="${three}program ended\n"; fi
ends_well "opened and never closed" "$last" $EMULATOR "$work/program"
echo 'int main(void) { return 42; }' > "$work/none.c"
build none "$work/none.c" -Wl,--no-as-needed "$work/libobject.so" $shared $rpath
ends_well "a program that knows nothing" "$three" $EMULATOR "$work/none"

# ---- Before malloc works -----------------------------------------------------------------------

imports_no_allocator() {
	nm -D --undefined-only "$libs/libpercpu.so" > "$work/imports" && [ -s "$work/imports" ] &&
		! grep -Ew 'malloc|calloc|realloc|free|fopen|fdopen|printf|opendir|strdup|qsort' \
			"$work/imports"
}
holds "libpercpu imports nothing that allocates" imports_no_allocator

build malloc.so -shared -fPIC -fno-builtin "$here/allocator.c" $shared

# counts TITLE COMMAND...: works with this malloc, which finds exact sums at the end.
counts() {
	title=$1
	shift
	rm -f "$work/report"
	if quietly env LD_PRELOAD="$work/malloc.so" ALLOCATOR_REPORT="$work/report" "$@" &&
		grep -q "^exact" "$work/report"; then
		ok "$title"
	else
		not_ok "$title"
	fi
}
build program "$work/program.o" "$work/second.o" $shared -pthread
ends_well "program with such a malloc" "program ended\n" $(with LD_PRELOAD="$work/malloc.so") \
	"$work/program"
if is_like_others; then
	counts "malloc that uses per-CPU variables: ls" ls -l "$top_srcdir"
	counts "malloc that uses per-CPU variables: sort" sort -u "$here/early.c"
	counts "malloc that uses per-CPU variables, atomic" env PERCPU_OPS=atomic ls -l "$top_srcdir"
	counts "malloc that uses per-CPU variables, settings" env PERCPU_CPUS=300 PERCPU_DEBUG=1 \
		PERCPU_UNIT=64M ls "$top_srcdir"
else
	skip "malloc that uses per-CPU variables: ls, sort" "they have another C library"
fi
if is_like_others && command -v unshare > "$work/log" && unshare -m true 2> "$work/log"; then
	counts "malloc that uses per-CPU variables, no sysfs" unshare -m sh -c \
		'mount -t tmpfs none /sys && exec ls /'
else
	skip "malloc that uses per-CPU variables, no sysfs" "no name spaces, or another C library"
fi

# ---- Opened late -------------------------------------------------------------------------------

# An object that is opened takes its thread-local storage from a small surplus, at the end of a block
# that has an alignment of its own.
has_little_tls() {
	readelf -lW "$libs/libpercpu.so" > "$work/headers" || return
	set -- $(sed -n 's/^ *TLS  *//p' "$work/headers")
	[ $# = 0 ] || [ $(($5)) -le 256 -a $(($7)) -le 64 ]
}
holds "little thread-local storage" has_little_tls

if is_like_others && command -v python3 > "$work/log"; then
	for ops in "" atomic; do
		check "opened by Python with threads ${ops:+($ops)}" env ${ops:+PERCPU_OPS=$ops} \
			python3 "$here/opened.py" "$libs/libpercpu.so"
	done
else
	skip "opened by Python" "no python3 with this C library"
fi

finish
