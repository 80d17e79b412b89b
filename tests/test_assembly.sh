#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules in assembler that no compiler would write so: they are loaded and run. Where the same file
# makes a program, that tells what is right.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/assembly

if [ "$(uname -m)" != x86_64 ]; then
    skip "all" "for x86-64"
    ok "nothing to do"
    finish
fi

# ---- Order -------------------------------------------------------------------------------------

order_is_the_linkers()
{
    "$CC" -DPROGRAM -c -o first.o "$here/order.S" && "$CC" -DSECOND -c -o next.o "$here/order.S" &&
        "$CC" -o program first.o next.o && ./program > wanted &&
        "$CC" -c -o first.o "$here/order.S" &&
        run "$permod" run --with next.o first.o && grep -E '^(first|second)' out > found &&
        [ "$(wc -l < wanted)" -eq 26 ] && diff wanted found
}

check "beginnings and ends in order of priority" order_is_the_linkers

# ---- Many sections -----------------------------------------------------------------------------

# many COUNT: so many functions in sections of their own, and a table of them, whose results are added
# up. Number n returns n.
many()
{
    awk -v count="$1" 'BEGIN {
        for (i = 0; i < count; i++) {
            printf ".section .text.f%d,\"ax\"\n", i
            if (i % 3) printf ".globl f%d\n", i
            printf "f%d: movl $%d,%%eax\nret\n", i, i
        }
        print ".data"
        for (i = 0; i < count; i++) printf ".quad f%d\n", i
        printf ".text\n.globl init_module\ninit_module:\npushq %%rbx\npushq %%r12\npushq %%r13\n"
        printf "xorl %%ebx,%%ebx\nxorl %%r12d,%%r12d\nleaq .data(%%rip),%%r13\n"
        printf "1: call *(%%r13,%%rbx,8)\naddq %%rax,%%r12\nincl %%ebx\ncmpl $%d,%%ebx\njne 1b\n", count
        printf "leaq said(%%rip),%%rdi\nmovq %%r12,%%rsi\nxorl %%eax,%%eax\ncall printf@PLT\n"
        printf "popq %%r13\npopq %%r12\npopq %%rbx\nxorl %%eax,%%eax\nret\n"
        printf ".globl cleanup_module\ncleanup_module: ret\n"
        printf ".section .rodata\nsaid: .asciz \"sum %%ld\\n\"\n"
    }' > many.s && as -o many.o many.s && run "$permod" run many.o && has out "sum $2"
}

check "70000 sections" many 70000 2449965000
check "65270 sections, the numbers that a symbol can just tell" many 65270 2130053815
check "65290 sections" many 65290 2131359405

# ---- Sets --------------------------------------------------------------------------------------

# sets FLAG...
sets()
{
    "$CC" "$@" -DPROGRAM -c -o first.o "$here/sets.c" &&
        "$CC" "$@" -DSECOND -c -o next.o "$here/sets.c" && "$CC" -o program first.o next.o &&
        ./program > wanted && "$CC" "$@" -c -o first.o "$here/sets.c" &&
        for option in "" --gc-sections; do
            run "$permod" run $option --with next.o first.o && grep -v '^no per' out > found &&
                diff wanted found || return
        done
}

for flags in "" -fPIC "-O0 -fPIC"; do
    check "what is collected in sections $flags" sets $flags
done

# ---- Debug information -------------------------------------------------------------------------

debug_matters_not()
{
    many 100 4950 || return
    as -g -o many.o many.s && run "$permod" run many.o && has out "sum 4950" || return
    "$@" && run "$permod" run many.o && has out "sum 4950"
}

check "debug information kept" debug_matters_not true
check "debug information stripped" debug_matters_not strip -g many.o
check "debug information compressed" debug_matters_not objcopy --compress-debug-sections many.o
check "all names stripped that nobody needs" debug_matters_not strip --strip-unneeded many.o

finish
