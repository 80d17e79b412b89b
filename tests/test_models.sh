#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Code models: the same two files, compiled in every combination of model, kind of position
# independence and optimisation that a compiler accepts, loaded and run. What they print must be what
# they print as a program of the C compiler's.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/models
accepted=0
refused=0

# compiled COMMAND...: both files, as values.o and other.o
compiled()
{
    "$@" -c "$here/values.c" "$here/other.c"
}

prints_the_same()
{
    rm -f values.a && ar rcs values.a values.o other.o && run "$permod" run values.a &&
        grep -v '^no per-CPU' out > said && cmp said "$expected" && is err ""
}

# accepts COMMAND...: not every compiler has every model in every kind of code.
accepts()
{
    echo 'int x;' | "$@" -Werror -x c -c -o none.o - 2> none.err
}

# combinations DATA COMMAND...: at two levels of optimisation.
combinations()
{
    expected=$1
    shift
    if ! accepts "$@"; then
        refused=$((refused + 2))
        skip "$*" "$(head -n 1 none.err)"
        return
    fi
    for level in -O0 -O2; do
        accepted=$((accepted + 1))
        check "$* $level: compiles" compiled "$@" $level $include
        check "$* $level: prints the same" prints_the_same
    done
}

compilers=$CC
if [ -n "$CLANG" ] && [ "$CLANG" != "$CC" ]; then
    if installed "$CLANG"; then compilers="$CC $CLANG"; else skip "clang" "not installed"; fi
fi

case $(uname -m) in
x86_64) models="small medium large kernel" ;;
*) models="" ;;
esac

program()
{
    "$CC" -fcommon -DPROGRAM "$@" -o program "$here/values.c" "$here/other.c" -lm && ./program
}

program > without_data || not_ok "program"
program -DLIBRARY_DATA > with_data || not_ok "program"

for compiler in $compilers; do
    for model in $models; do
        for kind in -fPIC -fPIE "-fno-pie -fno-pic"; do
            flags="$compiler -fcommon -mcmodel=$model $kind"
            case "$kind $model" in
            -fno-pie*small | -fno-pie*medium | -fno-pie*kernel)
                combinations without_data $flags
                ;;
            *)
                combinations with_data $flags -DLIBRARY_DATA
                ;;
            esac
        done
    done
done
echo "combinations: $accepted accepted by their compilers, $refused not"

finish
