#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Shared objects as modules: parameters, init and exit, exports, per-CPU variables, references, and
# that they are really gone; what keeps some in memory is told.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/shared
shared="$libs/libpermod.so $libs/libpercpu.so -Wl,-rpath,$libs"
warnings="-Wall -Wextra -Werror"

compilers=$CC
if [ -n "$CLANG" ] && [ "$CLANG" != "$CC" ] && installed "$CLANG"; then
    compilers="$CC $CLANG"
fi

$CC -O2 $warnings $sanitizers $include -o host "$here/host.c" $shared || exit 1
$CC -O2 $warnings $include -c -o user.ko "$here/user.c" || exit 1

object()
{
    "$@" $warnings $include -fPIC -shared -DPERMOD_SHARED -o module.so "$here/module.c"
}

# How often it begins afresh, and what is told when it stays.
lives=3
kept=
if ! has_glibc; then
    lives=1
    kept="this C library unloads none"
fi

lives()
{
    object "$@" && run ./host ./module.so "$kept" &&
        [ "$(grep -c '^begins with 3 two words' out)" -eq $lives ] &&
        [ "$(grep -c '^ends' out)" -eq $lives ]
}

counted()
{
    counts "hits=5+1 steps=2" work module.so step=2 &&
        counts "hits=5+110 steps=0 uses=1" work_too module.so -- user.ko
}

stays()
{
    object "$CC" "$@" && run ./host ./module.so "$reason"
}

# fails TEXT ARGUMENT...: it does not load, for this reason.
fails()
{
    pattern=$1
    shift
    "$permod" run "$@" > out 2> err < /dev/null
    [ $? -eq 1 ] && [ "$(wc -l < err)" -eq 1 ] && has err "$pattern"
}

failing_init()
{
    object "$CC" && fails "its init returned -22" module.so step=-1 &&
        fails "'x' is not" module.so step=x
}

# What failed tells why, and not that it stays in memory.
failing_that_stays()
{
    object "$CC" -Wl,-z,nodelete && fails "its init returned -22" module.so step=-1 &&
        fails "'x' is not" module.so step=x
}

# Its code would take what is no cookie for one.
not_for_sharing()
{
    echo '#include <permod/module.h>
static DEFINE_PER_CPU(long, hits);
void hit(void);
void hit(void) { this_cpu_inc(hits); }
MODULE_LICENSE("GPL");' > plain.c
    $CC -O2 $warnings $include -fPIC -shared -o plain.so plain.c &&
        fails "plain.so: compiled as a relocatable object; compile all files" plain.so
}

lacking()
{
    echo 'void nobody_has_it(void); void work(void) { nobody_has_it(); }' > lacking.c
    $CC -fPIC -shared -o lacking.so lacking.c && fails "nobody_has_it" lacking.so
}

# The section headers are for linkers and debuggers: a file can do without.
without_sections()      # FILE
{
    python3 - "$1" << 'END'
import sys
with open(sys.argv[1], "r+b") as file:
    wide = file.read(5)[4] == 2
    for at, size in [(40, 8), (60, 4)] if wide else [(32, 4), (48, 4)]:
        file.seek(at)
        file.write(bytes(size))
END
}

program()
{
    echo 'int main(void) { return 0; }' > program.c
    $CC -fPIE -pie -o program program.c && fails "program: a program" program &&
        without_sections program && readelf -S program | grep "no sections" > log &&
        fails "program: a program" program &&
        $CC -no-pie -o fixed program.c && fails "an executable" fixed
}

no_plan()
{
    "$permod" check module.so > out 2> err < /dev/null
    [ $? -eq 1 ] && [ "$(wc -l < err)" -eq 1 ] && has err "module.so: a shared object"
}

for compiler in $compilers; do
    for flags in -O0 -O2 "-O2 -Wl,-s" "-O2 -fuse-ld=lld"; do
        case $flags in *lld) installed ld.lld || continue ;; esac
        check "lives as a module: $compiler $flags" lives $compiler $flags
    done
    check "per-CPU variables and exports: $compiler" counted
done
# A static variable of an inline function is one in the process, and keeps its object.
unique()
{
    echo 'inline int count() { static int number; return ++number; }
int count_more() { return count(); }' > unique.cc
    $CXX -O2 -fPIC -c -o unique.o unique.cc && stays unique.o
}

# What it says of itself taints as it does others, and permod info tells it.
says()
{
    printf '%s\n' '#include <permod/module.h>' 'int told;' 'EXPORT_SYMBOL(told);' 'int kept;' \
        'EXPORT_SYMBOL_GPL(kept);' 'MODULE_INFO(test, "Y");' 'MODULE_LICENSE("Secret");' > says.c
    $CC -O2 $warnings $include -fPIC -shared -DPERMOD_SHARED -o says.so says.c &&
        run "$permod" run --json says.so && has out '"taint": "PN"' || return
    $CC -O2 $warnings $include -fPIC -shared -o mute.so -x c - <<END &&
int number;
END
        run "$permod" run --json mute.so && has out '"taint": "P"' && object $CC &&
        run "$permod" run --json module.so && has out '"taint": ""' || return
    run "$permod" info says.so && has out "license:        Secret" && has out "exports:        told" &&
        has out "exports:        kept (GPL)" && has out "needs:          __cxa_finalize" || return
    installed modinfo || return 0
    cp says.so says.ko && modinfo ./says.ko | grep -E "^(license|test|vermagic):" | sort > theirs
    grep -E "^(license|test|vermagic):" out | sort > ours && [ -s ours ] && cmp theirs ours
}

reason="-fno-gnu-unique"
[ "$CXX" != g++ ] || check "what stays in memory is told: C++" unique
reason="-z nodelete"
check "what stays in memory is told: -z nodelete" stays -Wl,-z,nodelete
check "an init that fails, a bad parameter" failing_init
check "so do those that stay in memory" failing_that_stays
check "what it says of itself is told, and taints" says
check "there is no plan of one" no_plan
check "one that is compiled as a relocatable object" not_for_sharing
check "an undefined symbol is told" lacking
check "programs are refused" program
finish
