#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Other architectures, by cross compilers and QEMU's user-mode emulators:
#
#   sequences.c  what every sequence does, with a made-up rseq area; under step.py each is aborted at
#                each instruction, as the kernel does, and must still do its work once;
#                disassemble.py reads its code as the machine's objdump sees it
#   values.c     the whole library: QEMU's kernel has no rseq, so that operations are atomic
#
# i386 runs on an x86-64 kernel as it is, with the kernel's own rseq. A compiler or an emulator that is
# not installed leaves its architecture out. PERMOD_LONG=1 steps through code of all kinds, not only -O2,
# and by clang, and lets threads do more.

. "$(dirname "$0")/percpu/run.sh"

case $CC in
*clang*)
	skip all "the compilers are others than that of this build, and gcc's build has tried them"
	exit 77
	;;
esac

flags="-std=gnu11 -Wall -Wextra -Wshadow -Wundef -Werror -I$top_srcdir/include"
rounds=${PERMOD_LONG:+20000}
rounds=${rounds:-2000}

# sequences FLAGS STEP [COMPILER]: compile in this way and run; step through it if STEP is not empty.
sequences() {
	title="$architecture${3:+ clang} $1"
	if ! quietly ${3:-$triplet-gcc} $flags $1 -c "$here/sequences.c" -o "$work/sequences.o" ||
		! quietly $triplet-gcc -static -no-pie "$work/sequences.o" -o "$work/sequences"; then
		not_ok "$title: compiling"
		return
	fi
	check "$title: what objdump sees" python3 "$here/disassemble.py" $triplet-objdump \
		"$work/sequences"
	check "$title: values" timeout 60 $emulator "$work/sequences"
	[ -z "$2" ] || check "$title: aborted at each instruction" timeout 100 python3 \
		"$here/step.py" "$emulator" "$work/sequences" $signature stepped
}

# The header as clang sees it, in C and C++; in the long form, what it makes of it.
by_clang() {
	clang="$CLANG --target=$triplet -isystem /usr/$triplet/include"
	printf '#include <permod/percpu.h>\nDEFINE_PER_CPU(long, v);\nlong f(void);\nlong f(void) { this_cpu_inc(v); return this_cpu_xchg(v, 3); }\n' > "$work/only.c"
	for language in "c -std=gnu11" "c++ -std=c++11"; do
		check "$architecture: header, $CLANG $language" $clang -x $language $warnings \
			-I"$top_srcdir/include" -O2 -c "$work/only.c" -o "$work/only.o"
	done
	[ -n "$PERMOD_LONG" ] || return
	sequences "-O0 -fPIC" yes "$clang"
	sequences "-O2" yes "$clang"
}

# The library needs no other but libc and does its work.
library() {
	check "$architecture: library, compiling" env -C "$work/library" $triplet-gcc $flags -O2 -fPIC -c \
		"$top_srcdir"/percpu/*.c
	check "$architecture: library, linking with libc alone" $triplet-gcc -shared \
		"$work"/library/*.o -Wl,-z,defs,-z,text -o "$work/libpercpu.so"
	if quietly $triplet-gcc $flags -O2 -static -pthread "$here/values.c" "$work"/library/*.o \
		-o "$work/values"; then
		check "$architecture: atomic operations, emulated" env PERCPU_CPUS=4 timeout 60 \
			$emulator "$work/values" atomic $rounds
	else
		not_ok "$architecture: program"
	fi
}

# i386 by the kernel itself.
native() {
	if ! "$work/sequences" > "$work/log" 2>&1; then
		skip "i386: natively" "this system does not run 32-bit programs"
		return
	fi
	check "i386: natively, atomic" env PERCPU_OPS=atomic timeout 60 "$work/values" atomic \
		${rounds}0 signals
	if env PERCPU_OPS=rseq timeout 60 "$work/values" rseq 0 > "$work/log" 2>&1 ||
		! grep -q "no restartable sequences" "$work/log"; then
		check "i386: natively, sequences by libc's area" timeout 60 "$work/values" rseq \
			${rounds}00 signals
		check "i386: natively, sequences by the library's area" env \
			GLIBC_TUNABLES=glibc.pthread.rseq=0 timeout 60 "$work/values" rseq \
			${rounds}0 signals
	else
		skip "i386: natively, sequences" "this kernel has none"
	fi
}

# run_architecture NAME TRIPLET EMULATOR SIGNATURE FLAGS-OF-ANOTHER-KIND
run_architecture() {
	architecture=$1
	triplet=$2
	emulator=$3
	signature=$4
	work=$work/$1
	mkdir "$work" "$work/library"
	for tool in $triplet-gcc $emulator python3; do
		command -v $tool > "$work/log" && continue
		skip "$architecture" "$tool is not installed"
		return
	done
	sequences "-O0" "$PERMOD_LONG"
	sequences "-O2 -fPIC $5" "$PERMOD_LONG"
	if [ -n "$PERMOD_LONG" ]; then
		sequences "-Os -fPIC" yes
		sequences "-O1 -fomit-frame-pointer $5" yes
		sequences "-O3 -fno-omit-frame-pointer" yes
	fi
	sequences "-O2" yes
	library
	[ "$architecture" != i386 ] || native
	if [ -n "$CLANG" ] && command -v $CLANG > "$work/log"; then
		by_clang
	else
		skip "$architecture: clang" "not installed"
	fi
	rm -rf "$work"
}

# Two at a time; each writes to a file of its own. Lines: NAME TRIPLET EMULATOR SIGNATURE FLAGS. The
# signatures are the C library's (RSEQ_SIG in its <bits/rseq.h>).
architectures="
i386 i686-linux-gnu qemu-i386 0x53053053 -fno-omit-frame-pointer
aarch64 aarch64-linux-gnu qemu-aarch64 0xd428bc00 -march=armv8.1-a
arm arm-linux-gnueabihf qemu-arm 0xe7f5def3 -marm
riscv64 riscv64-linux-gnu qemu-riscv64 0xf1401073 -march=rv64g
ppc64le powerpc64le-linux-gnu qemu-ppc64le 0x0fe5000b -mcpu=power9
s390x s390x-linux-gnu qemu-s390x 0xb2ff0fff -march=z13
mips mipsel-linux-gnu qemu-mipsel 0x0350000d
mips64 mips64el-linux-gnuabi64 qemu-mips64el 0x0350000d -mxgot
x86_64 x86_64-linux-gnu qemu-x86_64 0x53053053
"
echo "$architectures" | grep . > "$work/list"
half() {
	awk -v rest=$1 'NR % 2 == rest' "$work/list" | while read -r name triplet emulator sig other; do
		(run_architecture $name $triplet $emulator $sig "$other") < /dev/null
	done > "$work/half$1"
}
half 0 &
half 1
wait
cat "$work/half0" "$work/half1"
passed=$(cat "$work/half0" "$work/half1" | grep -c "^ok ")
failed=$(cat "$work/half0" "$work/half1" | grep -c "^not ok ")
if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
	echo "0 passed, 0 failed"
	exit 77
fi
finish
