#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The model of unloading (doc/model/unload.pml): no path is wrong, and each variant that is broken on
# purpose has one that is.
. "$(dirname "$0")/shell.sh"

model=$top_srcdir/doc/model/unload.pml

# explore FLAG...: look at all paths; what was found goes to the file out.
explore()
{
    rm -f pan* ./*.trail
    spin "$@" -a "$model" > log 2>&1 && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c >> log 2>&1 || return
    timeout 300 ./pan -m100000 > out 2>&1
}

is_right()
{
    explore "$@" && has out "errors: 0" && ! grep -q "max search depth too small\|out of memory" out
}

is_wrong()
{
    explore "$@" && has out "errors: 1" && has out "$what"
}

if ! installed spin || ! installed gcc; then
    skip model "install spin and gcc"
    echo "0 passed, 0 failed"
    exit 77
fi
check right_with_one_caller is_right -DCALLERS=1
[ -z "$PERMOD_LONG" ] || check right_with_two_callers is_right -DCALLERS=2 -DONE_GOES
what="assertion violated"
for flaw in NO_FENCE NO_LOOK NO_READERS NO_DRAIN NO_SEARCH; do
    check "wrong_with_$flaw" is_wrong -DCALLERS=1 "-D$flaw"
done
what="invalid end state"
for flaw in NO_WAKE NO_SECOND NO_COUNT NOT_REFUSED; do
    check "wrong_with_$flaw" is_wrong -DCALLERS=1 "-D$flaw"
done
finish
