#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules into which the compiler has put something: sanitizers, in programs built with them, and
# counters of coverage, with the library that writes them linked in.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/instrumented

# Programs that are built here bring a run-time library of their own.
if [ -n "$sanitizers" ]; then
    skip all "the libraries are built with a sanitizer"
    exit 77
fi

# ---- Sanitizers ------------------------------------------------------------------------------------

# A program and two modules; the third is one without.
build()
{
    $1 -O1 -g -fsanitize=$2 $include -o host "$here/host.c" "$libs/libpermod.so" \
        "$libs/libpercpu.so" -Wl,-rpath,"$libs" &&
        $1 -O1 -g -fsanitize=$2 $include -c -o module.ko "$here/module.c" && cp module.ko again.ko &&
        $1 -O1 $include -c -o plain.ko "$here/module.c"
}

# Leaks are looked for by means of ptrace(2), which not every system allows.
options=exitcode=77
echo 'int main(void) { return 0; }' > fine.c
if $CC -fsanitize=address -o fine fine.c > log 2>&1 && ! ./fine > log 2>&1 &&
    ASAN_OPTIONS=detect_leaks=0 ./fine > log 2>&1; then
    options=$options:detect_leaks=0
fi

# finds FUNCTION STATUS PATTERN...: the program ends so, and says all this.
finds()
{
    function=$1
    wanted=$2
    shift 2
    ASAN_OPTIONS=$options UBSAN_OPTIONS=print_stacktrace=0 \
        timeout 60 ./host "$function" module.ko plain.ko again.ko > out 2> err
    status=$?
    [ $status -eq "$wanted" ] || { echo "status $status, not $wanted"; return 1; }
    for pattern; do
        grep -qE -e "$pattern" err || { echo "err lacks: $pattern"; return 1; }
    done
}

address_sanitizer()
{
    check "$1: AddressSanitizer, nothing wrong" finds fine 0
    check "$1: and nothing said" is err ""
    check "$1: beyond a variable" finds beyond_global 77 "global-buffer-overflow" \
        "global variable 'table'" "module:\.text beyond_global\+0x"
    check "$1: beyond an allocation" finds beyond_heap 77 "heap-buffer-overflow" \
        "module:\.text beyond_heap\+0x"
    check "$1: beyond a local variable" finds beyond_stack 77 "stack-buffer-overflow" \
        "module:\.text beyond_stack\+0x"
}

for compiler in "$CC" $second; do
    installed "$compiler" || continue
    if has_glibc && build "$compiler" address > log 2>&1; then
        address_sanitizer "$compiler"
    else
        skip "$compiler: AddressSanitizer" "it can't be linked here, or is for glibc alone"
    fi
    if has_glibc && build "$compiler" undefined > log 2>&1; then
        check "$compiler: UndefinedBehaviorSanitizer, nothing wrong" finds fine 0
        check "$compiler: and nothing said" is err ""
        check "$compiler: an overflow" finds overflow 0 \
            "module\.c:[0-9]+:[0-9]+: runtime error: signed integer overflow: 2147483647 \+ 1"
    else
        skip "$compiler: UndefinedBehaviorSanitizer" "it can't be linked here, or is for glibc alone"
    fi
done

# ---- Coverage --------------------------------------------------------------------------------------

# counted COUNT COMMENT: so often has the line with the comment run, says gcov.
counted()
{
    grep -qE "^ *$1\*?: *[0-9]+:.*/\* $2 \*/" module.c.gcov || { cat module.c.gcov; return 1; }
}

# Counters are written when the module is unloaded, and added to those of the last run.
coverage()
{
    library=$1
    gcov=$2
    compiler=$3
    rm -f module.gc* module.c.gcov
    $compiler -O0 --coverage $include -c -o module.o "$here/module.c" || return
    for run in 1 2; do
        run "$permod" run --with "$library" --call fine --count 5 --cpus "$cpu" module.o || return
    done
    $gcov module.o > log 2>&1 && counted 6 "the first three calls" && counted 2 "exit"
}

library=$("$CC" -print-file-name=libgcov.a)
if [ -f "$library" ] && installed gcov && "$CC" --version | grep -qi gcc; then
    check "$CC: coverage is written at unload" coverage "$library" gcov "$CC"
else
    skip "$CC: coverage" "there is no libgcov.a, or no gcov"
fi

finish
