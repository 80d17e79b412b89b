#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules of which a part is in Rust, with its library and without, and in Fortran. Each has a
# function that returns a number, and a function in C that adds it to a per-CPU variable.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/languages

caller()
{
    $CC -O2 $include "-DSUM=$1" -c -o calls.o "$here/calls.c"
}

# rust EXPECTED SOURCE FLAG...
rust()
{
    sums=$1
    source=$2
    shift 2
    caller rust_sum && $rustc --crate-type staticlib "$@" -o librust.a "$here/$source" &&
        counts "sums=$sums" work --with librust.a --root work calls.o
}

fortran()
{
    caller fortran_sum && gfortran "$@" -c -o sum.o "$here/sum.f90" &&
        counts "sums=395" work --with sum.o calls.o
}

# Debian's, or the one of the path.
rustc=
for command in /usr/bin/rustc rustc; do
    [ -n "$rustc" ] || ! "$command" --version > log 2>&1 || rustc=$command
done
if [ -n "$rustc" ]; then
    check "Rust without its library" rust 58 core.rs -O -C panic=abort
    check "Rust: heap, panic, threads, thread-local variables" rust 2706 std.rs -O
    check "Rust, not optimised" rust 2706 std.rs
else
    skip "Rust" "rustc is not installed"
fi

if installed gfortran; then
    for flags in -O0 -O2 "-O2 -fPIC"; do
        check "Fortran $flags" fortran $flags
    done
else
    skip "Fortran" "gfortran is not installed"
fi

[ "$passed$failed" != 00 ] || exit 77
finish
