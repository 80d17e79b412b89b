#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Exceptions, casts, statics and unwinding across programs and modules, by gcc and clang, and the
# libraries that modules in C++ and C need and the program does not have.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/cxx
shared="$libs/libpermod.so $libs/libpercpu.so -Wl,-rpath,$libs"
warnings="-Wall -Wextra -Werror"

compilers=$CC
cxx_compilers=$CXX
if [ -n "$CLANG" ] && [ "$CLANG" != "$CC" ] && installed "$CLANG"; then
    compilers="$CC $CLANG"
    installed "${CLANG}++" && cxx_compilers="$CXX ${CLANG}++"
fi

# ---- Headers -----------------------------------------------------------------------------------

# Programs include them with whatever warnings they like.
header_compiles()
{
    "$@" $warnings -Wshadow -Wconversion -Wpedantic -O2 $include -c -o headers.o "$here/headers.c"
}

for compiler in $compilers; do
    for dialect in c11 gnu17; do
        check "headers: $compiler -std=$dialect" header_compiles $compiler -std=$dialect
    done
done
for compiler in $cxx_compilers; do
    for dialect in c++11 c++14 c++17 c++20; do
        check "headers: $compiler -std=$dialect" header_compiles $compiler -std=$dialect -x c++
    done
done

# ---- C -----------------------------------------------------------------------------------------

unwound()
{
    "$@" $warnings $include -c -o unwind.ko "$here/unwind.c" &&
        counts "backtraces=1 cancelled=1 walks=1" work unwind.ko
}

for compiler in $compilers; do
    for flags in -O0 "-O2 -fPIC" "-O2 -fno-pie -fno-pic"; do
        check "C: unwinding, $compiler $flags" unwound $compiler -fexceptions $flags
    done
done

# A library that no program has.
echo 'int answer(void); int answer(void) { return 42; }' > answer.c
$CC -O2 -fPIC -shared -o libanswer.so.1 answer.c || exit 1
LD_LIBRARY_PATH=$work${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

user()
{
    $CC -O2 $include "$@" -c -o user.ko "$here/library.c"
}

by_option()
{
    user && counts "answers=42" work --library libanswer.so.1 user.ko
}

by_name()
{
    user '-DNAMED="libanswer.so.1"' && counts "answers=42" work user.ko &&
        run "$permod" info user.ko && has out "libanswer.so.1" &&
        run "$permod" check user.ko && has out "libanswer.so.1"
}

# refused TEXT ARGUMENT...: `permod run` says this in one line.
refused()
{
    pattern=$1
    shift
    "$permod" run "$@" > out 2> err < /dev/null
    [ $? -eq 1 ] && [ "$(wc -l < err)" -eq 1 ] && has err "$pattern"
}

bad_option()
{
    user && refused "--library 'libnone.so.1': " --library libnone.so.1 user.ko &&
        refused "undefined symbol: answer" user.ko
}

bad_name()
{
    user "-DNAMED=\"$1\"" && refused "$2" user.ko
}

check "library: by option" by_option
check "library: by the module's wish" by_name
check "library: not there" bad_option
check "library: the module's wish is not there" bad_name libnone.so.1 "libnone.so.1"
check "library: a path is no name" bad_name ./libanswer.so.1 "not the name of a library"

# ---- C++ ---------------------------------------------------------------------------------------

if [ -z "$CXX" ]; then
    skip "C++" "no C++ compiler"
    finish
fi

twice()
{
    rm -f one.o two.o twice.a
    "$@" $warnings $include -DFIRST -c -o one.o "$here/twice.cc" &&
        "$@" $warnings $include -c -o two.o "$here/twice.cc" && ar rcs twice.a one.o two.o &&
        counts "caught=22" work twice.a
}

modules()
{
    "$@" $warnings $include -c -o first.ko "$here/first.cc" &&
        "$@" $warnings $include -c -o second.ko "$here/second.cc"
}

# The programs host-* with modules of one kind.
across()
{
    modules "$@" || return
    for host in ./host-*; do
        run "$host" first.ko second.ko && is out "0 wrong" || { echo "$host"; return 1; }
    done
}

# Where the libraries are built with a sanitizer, programs need it too; and C programs can't throw,
# as AddressSanitizer must find the C++ library when it starts.

for compiler in $cxx_compilers; do
    [ -z "$sanitizers" ] || [ "$compiler" = "$CXX" ] || continue
    $compiler -O2 $warnings $sanitizers $include -o "host-$(basename "$compiler")" \
        "$here/host.cc" $shared > log 2>&1 || not_ok "C++: host.cc by $compiler"
done

# LLVM's unwinder instead of GCC's.
other_unwinder()
{
    modules $CXX -O2 && LD_PRELOAD=$1 run "./host-$(basename "$CXX")" first.ko second.ko &&
        is out "0 wrong"
}

for unwinder in /usr/lib/llvm-*/lib/libunwind.so.1; do
    if [ -e "$unwinder" ] && [ -z "$sanitizers" ]; then
        check "C++: $unwinder" other_unwinder "$unwinder"
    fi
done

# What the program has, and lets others see, is the modules' too; code that does not reach it can
# still be loaded.
common()
{
    $CXX -O2 $warnings $sanitizers $include "$@" -rdynamic -o common "$here/host.cc" $shared &&
        run ./common first.ko second.ko && is out "0 wrong"
}

for compiler in $cxx_compilers; do
    modules $compiler -O2 -fPIC
    check "C++: statics of the program, $compiler -fPIC" common -DCOUNT
    modules $compiler -O2
    check "C++: statics of the program, $compiler" common
done

for compiler in $cxx_compilers; do
    for flags in -O0 -O2 "-O2 -fPIC" "-O2 -ffunction-sections -g" \
        "-O2 -fno-pie -fno-pic -DPLAIN"; do
        check "C++: $compiler $flags" across $compiler $flags
    done
    for flags in -O0 "-O2 -fPIC" "-O2 -fno-pie -fno-pic"; do
        [ -n "$sanitizers" ] ||
            check "C++: of two copies one stays, $compiler $flags" twice $compiler $flags
    done
done

finish
