#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules as compilers and assemblers make them: C, C++ and assembler, by gcc and clang, at all levels
# of optimisation, for position-independent programs, shared objects and fixed programs, with the
# options that change what is in an object. Each is loaded, run, and must count right.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/languages
# What work() of work.c adds at each call, and what the variables begin with.
c_sums="hits=12 small=5+-1 aligned=2 paged=7 read_mostly=100+1 second_hits=30 wrong=0"

# Both files of the C module, in an archive.
c_archive()
{
    rm -f work.o second.o c.a
    "$@" $include -c -o work.o "$here/work.c" && "$@" $include -c -o second.o "$here/second.c" &&
        ar rcs c.a work.o second.o
}

# c_module NAME COMPILER FLAG...
c_module()
{
    name=$1
    shift
    check "$name" c_archive_counts "$@"
}

c_archive_counts()
{
    c_archive "$@" && counts "$c_sums" work c.a
}

helpers_count()
{
    "$@" $include -c -o helpers.o "$here/helpers.c" && counts "right=11" work helpers.o
}

# An object that holds what the linker's optimiser wants, and no code.
bitcode_is_refused()
{
    "$@" -O2 -flto $include -c -o bitcode.o "$here/second.c" || return
    timeout 60 "$permod" run bitcode.o > out 2> err
    [ $? -eq 1 ] && is out "" && has err "compile without -flto"
}

compilers=$CC
if [ -n "$CLANG" ] && [ "$CLANG" != "$CC" ]; then
    if installed "$CLANG"; then compilers="$CC $CLANG"; else skip "clang" "not installed"; fi
fi

# ---- C -----------------------------------------------------------------------------------------

for compiler in $compilers; do
    for level in -O0 -O1 -O2 -O3 -Os; do
        for kind in "" -fPIC -fPIE "-fno-pie -fno-pic"; do
            c_module "C: $compiler $level $kind" $compiler $level $kind
        done
    done
    for flags in "-ffunction-sections -fdata-sections" -fno-plt "-fno-plt -fPIC" -g \
        "-g3 -gdwarf-4" -gz -fcf-protection=full -fcf-protection=none -fcommon \
        -fstack-protector-all -D_FORTIFY_SOURCE=2 -fno-omit-frame-pointer \
        -fno-asynchronous-unwind-tables "-fvisibility=protected -fPIC" -std=gnu99 \
        "-mcmodel=large -fno-pie -fno-pic" "-mcmodel=medium -fno-pie -fno-pic" \
        "-mcmodel=large -fPIC" "-mcmodel=medium -fPIC"; do
        c_module "C: $compiler -O2 $flags" $compiler -O2 $flags
    done
    for flags in -O0 "-O2 -fPIC" "-O2 -fno-pie -fno-pic"; do
        check "C: $compiler $flags, functions of the compiler's library" helpers_count $compiler \
            $flags
    done
    check "C: $compiler -flto is refused by name" bitcode_is_refused $compiler
    if $compiler --version | grep -q clang; then
        skip "C: $compiler -flto -ffat-lto-objects" "clang has only one of both in an object"
    else
        c_module "C: $compiler -flto -ffat-lto-objects" $compiler -O2 -flto -ffat-lto-objects
    fi
done

# ---- Modules that use each other's data --------------------------------------------------------

# neighbours FIRST-FLAG SECOND-FLAG
neighbours()
{
    $CC -O2 $1 $include -DFIRST -c -o first.ko "$here/neighbour.c" &&
        $CC -O2 $2 $include -c -o next.ko "$here/neighbour.c" &&
        counts "hits=4" work first.ko -- next.ko && is err "first begins
first ends with 4"
}

for first in "" -fPIC; do
    for second in "" -fPIC; do
        check "C: data of a module $first used by a module $second" neighbours "$first" "$second"
    done
done

# ---- Objects that other tools have touched -----------------------------------------------------

joined()
{
    c_archive "$CC" -O2 -ffunction-sections -fdata-sections -g &&
        "$1" -r -o joined.o work.o second.o && counts "$c_sums" work joined.o
}

for linker in ld.bfd ld.gold ld.lld mold; do
    if installed $linker; then
        check "joined by $linker -r" joined $linker
    else
        skip "joined by $linker -r" "not installed"
    fi
done

# stripped SUMS COMMAND...
stripped()
{
    sums=$1
    shift
    c_archive "$CC" -O2 -g && "$@" work.o && "$@" second.o && ar rcs c.a work.o second.o &&
        counts "$sums" work c.a
}

check "strip --strip-debug" stripped "$c_sums" strip --strip-debug
# This takes the name of the static variable too.
check "strip --strip-unneeded" stripped "${c_sums#* }" strip --strip-unneeded
check "objcopy --compress-debug-sections" stripped "$c_sums" objcopy --compress-debug-sections

# The names of members may be long, or twice the same; a thin archive has them in files.
odd_archive()
{
    c_archive "$CC" -O2 && mkdir -p one two && cp work.o one/a-long-name-for-a-member.o &&
        cp second.o two/a-long-name-for-a-member.o && rm -f odd.a &&
        ar "$1" odd.a one/a-long-name-for-a-member.o two/a-long-name-for-a-member.o &&
        counts "$c_sums" work odd.a
}

check "archive: long names, twice the same" odd_archive qcs
check "archive without an index" odd_archive qcS

# ---- C++ ---------------------------------------------------------------------------------------

# Without what needs the C++ library.
plain_cxx="-fno-exceptions -fno-rtti -fno-threadsafe-statics"

cxx_archive()
{
    rm -f objects.o second.o cxx.a
    "$@" $plain_cxx $include -c -o objects.o "$here/objects.cc" &&
        "$@" $plain_cxx $include -c -o second.o "$here/second.cc" &&
        ar rcs cxx.a objects.o second.o
}

cxx_counts()
{
    cxx_archive "$@" && counts "areas=32 corners=15 wrong=0" work cxx.a || return
    counts "wrong=0" totals --cpus "$cpu" cxx.a || return
    # Constructors in order, before init; destructors in reverse, after exit.
    run "$permod" run cxx.a && grep -E '(begins|ends|exit|init.*)$' out > order &&
        is order "early begins
first begins
triangle begins
second file begins
init, made 7
exit
second file ends
triangle ends
first ends
early ends"
}

# With the C++ library, which the command is not linked with.
library_counts()
{
    "$@" $include -c -o library.o "$here/library.cc" &&
        counts "letters=15 sums=21" work library.o
}

cxx_compilers=$CXX
if [ -n "$CLANG" ] && [ "${CLANG}++" != "$CXX" ] && installed "${CLANG}++"; then
    cxx_compilers="$CXX ${CLANG}++"
fi
[ -n "$cxx_compilers" ] || skip "C++" "no C++ compiler"
for compiler in $cxx_compilers; do
    for level in -O0 -O2 -Os; do
        for kind in "" -fPIC "-fno-pie -fno-pic"; do
            check "C++: $compiler $level $kind" cxx_counts $compiler $level $kind
        done
    done
    for flags in -std=c++11 -std=c++17 -std=c++20 "-ffunction-sections -fdata-sections" \
        "-g -fcf-protection=full"; do
        check "C++: $compiler -O2 $flags" cxx_counts $compiler -O2 $flags
    done
    if [ -n "$sanitizers" ]; then
        skip "C++ library: $compiler" "the command is built with a sanitizer"
        continue
    fi
    for flags in "" -fPIC -O0; do
        check "C++ library: $compiler -O2 $flags" library_counts $compiler -O2 $flags
    done
done

# ---- Assembler ---------------------------------------------------------------------------------

assembled()
{
    "$@" -o asm.o "$here/work.S" && counts "hits=3 tables=1000+121" work asm.o
}

for compiler in $compilers; do
    check "assembler: $compiler" assembled $compiler -c
done
check "assembler: as" assembled as

finish
