#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A module that is linked on this machine runs on another: sh4, for which Debian has a compiler but no C library
# that works. `permod check --for sh4 --output` links it at an address; a program without any library maps and
# calls it under QEMU. This machine says what the sum is.

. "$(dirname "$0")/shell.sh"

data=$top_srcdir/tests/foreign
base=0x20000000
page=4096

if ! command -v sh4-linux-gnu-gcc > log || ! command -v qemu-sh4 > log; then
    echo "skip: no compiler for sh4, or no emulator"
    exit 77
fi

# What two calls with this many rounds return here.
sum_here()      # ROUNDS
{
    cat > here.c <<'END'
#include <stdio.h>
int host_scale(int value), run(int rounds);
int host_scale(int value) { return value * 3; }
int main(void) { run(ROUNDS); printf("%d\n", run(ROUNDS)); }
END
    gcc "-DROUNDS=$1" here.c "$data/sh4_module.c" -o here && ./here
}

# The host knows where run() is, and the link where host_scale() is: the first link tells the former, as symbols
# of others change no place.
link()          # ARGUMENT...
{
    "$permod" check --for sh4 --base $base --page $page --output image "$@" module.o > out 2> err
}

build_host()    # ROUNDS SUM
{
    link && run=$(awk '/^defined/ { seen = 1 } seen && $1 == "run" { print $3 }' out) && [ -n "$run" ] &&
        sh4-linux-gnu-gcc -O0 -static -nostdlib -fno-stack-protector "-DBASE=$base" "-DPAGE=$page" "-DRUN=$run" \
            "-DROUNDS=$1" "-DSUM=$2" '-DIMAGE="image"' "$data/sh4_host.c" -o host -lgcc 2> err
}

runs_there()    # ROUNDS
{
    sum=$(sum_here "$1") && [ -n "$sum" ] && build_host "$1" "$sum" &&
        link --no-undefined --just-symbols host && timeout 60 qemu-sh4 ./host
}

# The check can fail: with another sum the program says so.
wrong_sum_is_noticed()
{
    build_host 7 1 && link --no-undefined --just-symbols host || return
    timeout 60 qemu-sh4 ./host
    [ $? -eq 1 ]
}

for options in "-O0" "-O0 -fPIC"; do
    # shellcheck disable=SC2086
    sh4-linux-gnu-gcc $options -ffreestanding -c "$data/sh4_module.c" -o module.o 2> err
    check "a module for sh4 runs there, $options" runs_there 50
    check "a wrong sum is noticed, $options" wrong_sum_is_noticed
done

finish
