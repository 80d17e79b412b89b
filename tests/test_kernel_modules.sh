#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Test modules of the kernel, unmodified, from Debian's package linux-source-6.1: each is compiled with
# the headers in include/permod/kernel, linked by the loader with the files of the kernel's lib/ that it
# tests and with libpermod-kernel.a, and must end as the module means to. What is unpacked goes into the
# folder to work in, and with it.

. "$(dirname "$0")/shell.sh"

archive=/usr/src/linux-source-6.1.tar.xz
here=$top_srcdir/tests/kernel
runtime=$top_builddir/libpermod-kernel.a

# module | files of lib/ that it is linked with | how it ends | what it must print
#
# "kunit": every case of its source passes, and nothing else is printed than that; a number is what its
# init returns, and the text is a line of its log. (test-kstrtox prints only what is wrong.)
modules='
percpu_test.c||-11|percpu test done
atomic64_test.c||0|atomic64_test: passed
bitfield_kunit.c||kunit|
cmdline_kunit.c|cmdline.c string.c string_helpers.c hexdump.c|kunit|
crc32test.c|crc32.c bitrev.c|0|crc32c_combine: 8373 self tests passed
globtest.c|glob.c|0|glob: 64 self-tests passed, 0 failed
interval_tree_test.c|interval_tree.c rbtree.c|-11|interval tree search
is_signed_type_kunit.c||kunit|
kunit/kunit-example-test.c||kunit|
list-test.c||kunit|
memcpy_kunit.c||kunit|
math/rational-test.c|math/rational.c string.c|kunit|
math/test_div64.c|math/div64.c|0|test_div64: Completed 64bit/32bit division and modulo test
rbtree_test.c|rbtree.c|-11|augmented rbtree testing
test-kstrtox.c|kstrtox.c|-22|
test-string_helpers.c|string_helpers.c string.c hexdump.c|-22|test_string_helpers: Running tests...
test_bitops.c|find_bit.c|0|test_bitops: Completed bitops test
test_bits.c||kunit|
test_hash.c||kunit|
test_hexdump.c|hexdump.c|0|test_hexdump: all 1184 tests passed
test_linear_ranges.c|linear_ranges.c|kunit|
test_list_sort.c|list_sort.c|kunit|
test_memcat_p.c|memcat_p.c|0|test_memcat_p: test passed
test_min_heap.c||0|min_heap_test: test passed
test_module.c||0|test_module: Goodbye
test_parman.c|parman.c|0|test_parman: Priority array check successful
test_siphash.c|siphash.c|0|test_siphash: self-tests: pass
test_sort.c|sort.c|kunit|
test_string.c|string.c|0|String selftests succeeded
test_strscpy.c|string.c string_helpers.c hexdump.c|0|test_strscpy: all 32 tests passed
test_uuid.c|uuid.c hexdump.c|0|test_uuid: all 18 tests passed
'

# Headers of the libraries that are tested, and what these need; and files that are included.
others='
include/asm-generic/bitops/generic-non-atomic.h include/asm-generic/bitops/le.h
include/asm-generic/bitops/non-atomic.h include/asm-generic/bitops/non-instrumented-non-atomic.h
include/asm-generic/word-at-a-time.h
include/linux/atomic.h include/linux/atomic/atomic-arch-fallback.h
include/linux/atomic/atomic-instrumented.h include/linux/atomic/atomic-long.h
include/linux/bitfield.h include/linux/bitmap.h include/linux/bitops.h include/linux/bitrev.h
include/linux/bits.h include/linux/crc32.h include/linux/crc32poly.h include/linux/find.h
include/linux/glob.h include/linux/hash.h include/linux/interval_tree.h
include/linux/interval_tree_generic.h include/linux/linear_range.h include/linux/list.h
include/linux/list_sort.h include/linux/log2.h include/linux/math64.h include/linux/min_heap.h
include/linux/overflow.h include/linux/parman.h include/linux/rational.h include/linux/rbtree.h
include/linux/rbtree_augmented.h include/linux/rbtree_types.h include/linux/siphash.h
include/linux/sort.h include/linux/string_helpers.h include/linux/stringhash.h
include/linux/typecheck.h include/linux/uuid.h
include/uapi/linux/kernel.h include/uapi/linux/uuid.h include/vdso/bits.h include/vdso/math64.h
lib/crc32defs.h lib/gen_crc32table.c lib/kstrtox.h lib/test-string_helpers.c
tools/testing/selftests/kselftest_module.h
'

# Only what is named above leaves the archive, and most of that need not be decompressed.
unpack()
{
    for file in $others $(echo "$modules" | awk -F '|' 'NF { n = split($1 " " $2, f, " ")
            for (i = 1; i <= n; i++) print "lib/" f[i] }' | sort -u); do
        echo "linux-source-6.1/$file"
    done | sort -u > members
    python3 "$here/unpack.py" "$archive" members ||
        xz -dc -T0 "$archive" | tar -x --occurrence=1 -T members -f - --strip-components=1 || return
    # A table that the kernel's build makes.
    mkdir -p include/generated && : > include/generated/autoconf.h
    $CC -DCONFIG_64BIT -o gen_crc32table lib/gen_crc32table.c && ./gen_crc32table > lib/crc32table.h
}

# compile COMPILER SOURCE OBJECT FLAG...: what it makes is in the folder $dir, of that compiler.
compile()
{
    compiler=$1
    source=$2
    object=$3
    shift 3
    $compiler $flags "$@" -c -o "$object" "$source"
}

# The files of lib/ are linked in, and export nothing. string.c has functions that compilers know and
# would turn into calls of themselves.
parts()
{
    with="--with $runtime"
    for file in $2; do
        object=$work/$dir/$(echo "$file" | tr / _).o
        free=
        [ "$file" != string.c ] || free=-ffreestanding
        [ -e "$object" ] ||
            compile "$1" "$work/lib/$file" "$object" "-I$work/include" -D__DISABLE_EXPORTS \
                -ffunction-sections $free || return
        with="$with --with $object"
    done
}

# What must not be in the log of a module that is content.
no_complaint()
{
    ! grep -iE 'warning:|bug:|not ok|fail' err | grep -v ' 0 failed'
}

# Every case of the source ran, and passed or was skipped on purpose.
all_cases()
{
    wanted=$(grep -c '^[[:space:]]*KUNIT_CASE' "$1")
    found=$(grep -c '^    ok ' err)
    [ "$wanted" -gt 0 ] && [ "$found" = "$wanted" ] ||
        { echo "$found cases passed, the source has $wanted"; return 1; }
}

# ended NUMBER: what the module's init returned is told, and is the command's status.
ended()
{
    if [ "$1" = 0 ]; then
        [ "$status" = 0 ]
    else
        [ "$status" = 1 ] && has err ".o: its init returned $1 ("
    fi || { echo "status $status, wanted: init returns $1"; return 1; }
}

load()
{
    run "$permod" run --gc-sections "$@"
    status=$?
}

# module COMPILER NAME PARTS END TEXT
module()
{
    name=$(basename "$2" .c | tr - _)
    parts "$1" "$3" &&
        compile "$1" "lib/$2" "$dir/$name.o" "-I$work/include" "-DKBUILD_MODNAME=\"$name\"" || return
    load $with "$dir/$name.o"
    [ ! -s out ] || ! grep -vE '^(CPU|sum|no per-CPU| *[0-9]+ )' out || return
    if [ "$4" = kunit ]; then
        all_cases "lib/$2" && ended 0
    else
        has err "$5" && ended "$4"
    fi
    [ $? = 0 ] && no_complaint
}

# The kernel's test of per-CPU operations, in a process that does them in another way.
percpu_with()
{
    export "$1"
    load --with "$runtime" "$dir/percpu_test.o"
    unset "${1%=*}"
    has err "percpu test done" && ended -11 && no_complaint
}

# own COMPILER NAME: a module of tests/kernel, which needs permod's headers only.
own()
{
    compile "$1" "$here/$2.c" "$dir/$2.o" -Wall -Wextra -Werror && load --with "$runtime" "$dir/$2.o"
}

stays()
{
    own "$1" staying && ended 0 && [ "$(grep -c '^    ok ' err)" = 2 ] && no_complaint
}

# All of the log is as it should be, but for the last line, which is the command's.
cases()
{
    own "$1" kunit_cases
    ended -22 && sed -e '$d' -e "s|$here/||" err | diff "$here/kunit_cases.ktap" -
}

# A library that is broken is found by the kernel's test of it.
broken()
{
    compile "$1" "$here/broken_sort.c" "$dir/broken_sort.o" "-I$work/include" &&
        compile "$1" lib/test_sort.c "$dir/broken.o" "-I$work/include" || return
    load --with "$dir/broken_sort.o" --with "$runtime" "$dir/broken.o"
    ended -22 && has err "    not ok 1 test_sort" && has err "not ok 1 lib_sort" &&
        has err "ASSERTION FAILED at lib/test_sort.c:" && ! no_complaint > /dev/null
}

# A wrong per-CPU operation is found by the kernel's test of them. (It needs no other file of the kernel.)
wrong_counts()
{
    compile "$1" lib/percpu_test.c "$dir/wrong.o" -include "$here/wrong_counts.h" || return
    load --with "$runtime" "$dir/wrong.o"
    ended -11 && has err "WARNING: at lib/percpu_test.c:" &&
        has err "pcp -2 (0xfffffffffffffffe) != expected -1 (0xffffffffffffffff)" &&
        ! no_complaint > /dev/null
}

if ! [ -r "$archive" ]; then
    skip "modules of the kernel" "there is no $archive (Debian: linux-source-6.1)"
    exit 77
fi
flags=$(PKG_CONFIG_PATH=$top_builddir pkg-config --cflags \
    --define-variable=includedir="$top_srcdir/include" permod-kernel) || exit 1
flags="-O2 $flags"

check "unpacked" unpack
for compiler in "$CC" $second; do
    dir=$(basename "${compiler%% *}")
    mkdir "$dir" || exit 1
    echo "$modules" | grep . > list
    # With a second compiler only a few, unless all are wanted: they take a second each.
    [ "$compiler" = "$CC" ] || [ -n "$PERMOD_LONG" ] ||
        echo "$modules" | grep -E '^(percpu_test|list-test|rbtree_test|test_hexdump|test_string)\.c' > list
    while IFS='|' read -r name with ends text <&3; do
        check "$name, $compiler" module "$compiler" "$name" "$with" "$ends" "$text"
    done 3< list
    for way in PERCPU_OPS=atomic PERCPU_INDEX=mm_cid PERCPU_CPUS=64; do
        # Not every kernel has concurrency ids.
        if env $way "$permod" --help > log 2>&1; then
            check "percpu_test.c with $way, $compiler" percpu_with $way
        else
            skip "percpu_test.c with $way" "$(head -n 1 log)"
        fi
    done
    check "a thread stays on its CPU, $compiler" stays "$compiler"
    check "every end of a KUnit case, $compiler" cases "$compiler"
    check "a broken library is found, $compiler" broken "$compiler"
    check "a wrong per-CPU operation is found, $compiler" wrong_counts "$compiler"
done
finish
