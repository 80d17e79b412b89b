#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Control-flow protection (CET): what notes say of objects, as ld takes it; the mark with which stubs
# begin; and shadow stacks, which this process seems to have with a library in front of libc's syscall().

. "$(dirname "$0")/shell.sh"

LD_LIBRARY_PATH=$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

# note NAME SIZE-OF-NAME SIZE TYPE PROPERTY...: an object with some code and a note.
note()
{
    name=$1
    shift
    {
        echo ".text; ret; .section .note.gnu.property, \"a\", @note; .balign 8; .long $1, $2, $3"
        shift 3
        echo '.asciz "GNU"'
        for word; do echo ".long $word"; done
    } > "$name.s"
    as -o "$name.o" "$name.s"
}

# fit OBJECT...: what permod finds, and what ld does, must be the same.
fit()
{
    ar rcs all.a "$@" || return
    run "$libs/permod" check --json --whole-archive all.a || return
    found=$(python3 -c 'import json; print(", ".join(json.load(open("out"))["features"]))')
    ld -shared -o all.so "$@" > log 2>&1 || return
    wanted=$(readelf -nW all.so 2> log | sed -n 's/.*x86 feature: \([A-Z][A-Z, ]*[A-Z]\).*/\1/p')
    echo "found: $found; ld has: $wanted"
    [ "$found" = "$wanted" ] || return
    rm -f all.a
}

# all_fit WANTED OBJECT...: and that is what it should be.
all_fit()
{
    wanted_first=$1
    shift
    fit "$@" && [ "$found" = "$wanted_first" ]
}

feature=0xc0000002
note both 4 16 5 $feature 4 3 0 && note ibt 4 16 5 $feature 4 1 0 && note shstk 4 16 5 $feature 4 2 0 &&
    note more 4 32 5 0xc0008002 4 1 0 $feature 4 3 0 && note other 4 16 1 $feature 4 3 0 &&
    note short 4 12 5 $feature 4 3 && note wide 4 16 5 $feature 8 3 0 &&
    note long 4 16 5 $feature 400 3 0 && note cut 4 400 5 $feature 4 3 0 &&
    note unknown 4 16 5 $feature 4 0xff 0 &&
    echo '.text; ret' | as -o none.o - || exit 1

check "all" all_fit "IBT, SHSTK" both.o more.o
check "what all have" all_fit "IBT" both.o ibt.o
check "nothing in common" all_fit "" shstk.o ibt.o
check "an object without a note" all_fit "" both.o none.o
check "a note of another type" all_fit "" both.o other.o
for damaged in short wide long cut; do
    check "a damaged note ($damaged)" all_fit "" both.o $damaged.o
done

# ld shows bits that it does not know; to permod they mean nothing.
unknown_bits()
{
    run "$libs/permod" check unknown.o && grep -qx "its code is fit for: IBT SHSTK" out
}
check "unknown features" unknown_bits

# ---- Stubs -------------------------------------------------------------------------------------

# A function out of reach is known by its stub's address; an IFUNC in the module too.
cat > stub.c <<'END'
#include <permod/module.h>
#include <stdlib.h>
#include <string.h>
DEFINE_PER_CPU(long, marked);
DEFINE_PER_CPU(long, works);
static int three(void) { return 3; }
static int (*choose(void))(void) { return three; }
int chosen(void) __attribute__((ifunc("choose")));
static int begins_with_mark(const void *function)
{
	return memcmp(function, "\xf3\x0f\x1e\xfa", 4) == 0;
}
void tick(void);
void tick(void)
{
	char *(*volatile outside)(const char *) = getenv;
	int (*volatile inside)(void) = chosen;

	this_cpu_add(marked, begins_with_mark((const void *)outside) + begins_with_mark((const void *)inside));
	this_cpu_add(works, outside("PATH") != NULL && inside() == 3);
}
END
for compiler in "$CC" $second; do
    installed "$compiler" || continue
    $compiler $include -O1 -fno-pie -fcf-protection=full -c -o stub.ko stub.c || exit 1
    check "$compiler: stubs are marked" counts "marked=2 works=1" tick stub.ko
    $compiler $include -O1 -fno-pie -fcf-protection=none -c -o stub.ko stub.c || exit 1
    check "$compiler: stubs are not marked" counts "marked=0 works=1" tick stub.ko
done

# ---- Shadow stacks -----------------------------------------------------------------------------

cat > shadow.c <<'END'
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/syscall.h>
long syscall(long number, ...)
{
	register long r10 __asm__("r10"), r8 __asm__("r8"), r9 __asm__("r9");
	long a[6], result;
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_arch_prctl && a[0] == 0x5005) {
		*(unsigned long *)a[1] = 1;
		return 0;
	}
	r10 = a[3];
	r8 = a[4];
	r9 = a[5];
	__asm__ volatile("syscall" : "=a"(result)
			 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
END
with_shadow_stack()
{
    run env LD_PRELOAD="$work/shadow.so" "$libs/permod" run "$@"
}

module_must_be_fit()
{
    with_shadow_stack fit.ko || return
    ! with_shadow_stack unfit.ko || { echo "it loads"; return 1; }
    has err "unfit.ko: not all of its objects are fit for the shadow stack" || return
    # Where there is no code, nothing can return to a wrong place.
    with_shadow_stack data.ko || return
    run "$libs/permod" run unfit.ko
}
if [ -n "$sanitizers" ]; then
    skip "shadow stacks" "the libraries are built with a sanitizer"
elif $CC -O1 -shared -fPIC -o shadow.so shadow.c > log 2>&1; then
    echo 'int one(void); int one(void) { return 1; }' > code.c
    echo 'int one = 1;' > data.c
    $CC -fcf-protection=return -c -o fit.ko code.c && $CC -fcf-protection=branch -c -o unfit.ko code.c &&
        $CC -fcf-protection=none -c -o data.ko data.c || exit 1
    check "a process with a shadow stack" module_must_be_fit
else
    not_ok "compile shadow.c"
fi

finish
