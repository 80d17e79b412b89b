#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# permod stamp: which changes of a type change its checksum and which don't, with gcc and clang; that
# a load is refused with the difference; what other tools make of a stamped file; and files that are
# damaged or can't be stamped. Checksums that must agree come from different compilers, options and
# sources; kmod reads those of modules.

. "${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}/tests/shell.sh"

compilers=$CC
if installed "$CLANG"; then
    compilers="$CC $CLANG"
else
    skip "clang" "is not installed (Debian: clang)"
fi
python3 -c 'import sys' || exit 1

if ! printf 'int number;\n' > try.c || ! $CC -g -c try.c || ! "$permod" stamp try.o 2> log; then
    if grep -q "without libdw" log; then
        skip "permod stamp" "$(cat log)"
        cp log said
        check "stamp says that libdw is absent" has said "without libdw"
        finish
    fi
    not_ok "a first file is stamped"
    finish
fi

# crcs FILE: "NAME CHECKSUM" of what is recorded.
crcs()
{
    readelf -p .permod.types "$1" |
        sed -n 's/^.*\(export\|import\) \([A-Za-z0-9_.$]*\) \([0-9a-f]\{8\}\) .*$/\2 \3/p'
}

# ---- Shapes of types ---------------------------------------------------------------------------

# Each line of shapes.txt is a declaration, and another after = or !: it must have the same checksum, or a
# different one. What is exported is called `it`.
same_and_different()
{
    python3 "$top_srcdir/tests/stamp/shapes.py" "$top_srcdir/tests/stamp/shapes.txt" "$permod" "$@"
}

for compiler in $compilers; do
    check "shapes: $compiler" same_and_different "$compiler"
done
if [ "$compilers" != "$CC" ]; then
    check "shapes: $CC and $CLANG agree" same_and_different --agree $compilers
fi

# ---- One source, many ways to compile ------------------------------------------------------------

source=$top_srcdir/tests/stamp/core.c
cp "$source" elsewhere.c
all_ways_agree()
{
    wanted=
    for compiler in $compilers; do
        for flags in "-O0 -gdwarf-4" "-O2 -gdwarf-4" "-O0 -gdwarf-5" "-O2 -gdwarf-5" "-O2 -g -gz" \
            "-O2 -g -gsplit-dwarf" "-Os -g3"; do
            file=$source
            [ "$flags" != "-O2 -g -gz" ] || file=elsewhere.c
            $compiler $flags $include -I"$top_srcdir/tests/stamp" -DLEN=4 -c -o way.o $file &&
                "$permod" stamp way.o || return
            found=$(crcs way.o)
            [ -n "$found" ] || { echo "$compiler $flags: nothing recorded"; return 1; }
            wanted=${wanted:-$found}
            [ "$found" = "$wanted" ] ||
                { echo "$compiler $flags $file: $found, not $wanted"; return 1; }
        done
    done
}
check "compilers, options and folders do not count" all_ways_agree

# The functions of a shared object, by their mangled names.
classes_agree()
{
    wanted=
    for compiler in $CXX ${CLANG:+clang++}; do
        installed $compiler || continue
        for flags in "-O0 -gdwarf-4" "-O2 -gdwarf-5"; do
            $compiler $flags -fPIC -c -o classes.o "$top_srcdir/tests/stamp/classes.cc" &&
                ld -shared -o classes.so classes.o && "$permod" stamp classes.so || return
            found=$(crcs classes.so | grep -v "D[0-9]Ev")
            echo "$found" | grep -q '^_ZN5space3addE' && echo "$found" | grep -q '^_ZNK7derived4take' ||
                { echo "$compiler $flags: $found"; return 1; }
            wanted=${wanted:-$found}
            [ "$found" = "$wanted" ] || { echo "$compiler $flags: $found, not $wanted"; return 1; }
        done
    done
    # Virtual functions in other places are another class.
    $CXX -g -DTURNED -fPIC -c -o classes.o "$top_srcdir/tests/stamp/classes.cc" &&
        ld -shared -o turned.so classes.o && "$permod" stamp turned.so || return
    [ "$(crcs turned.so | grep 3add)" != "$(echo "$wanted" | grep 3add)" ]
}
if [ -n "$CXX" ] && installed "$CXX"; then
    check "classes of C++" classes_agree
else
    skip "classes of C++" "there is no C++ compiler"
fi

# ---- Two versions of a header --------------------------------------------------------------------

for compiler in $compilers; do
    for version in 4 8; do
        mkdir -p $compiler-$version
        for name in core filter; do
            $compiler -O2 -g $include -DLEN=$version -c -o $compiler-$version/$name.ko \
                "$top_srcdir/tests/stamp/$name.c" && "$permod" stamp $compiler-$version/$name.ko ||
                not_ok "build $compiler-$version/$name.ko"
        done
    done
done

loads_with()
{
    run "$permod" run "$1/core.ko" -- "$2/filter.ko" && is err ""
}

refused_with()
{
    ! "$permod" run "$1/core.ko" -- "$2/filter.ko" > out 2> err || return
    [ "$(wc -l < err)" -eq 1 ] && has err "permod: $2/filter.ko: packet_" &&
        has err "struct packet: member len was $3, is $4 (" && has err "of core" && has err "rebuild it"
}

for one in $compilers; do
    for two in $compilers; do
        check "$one's core with $two's user of the same header" loads_with $one-4 $two-4
        check "$one's core with $two's user of an older header" refused_with $one-8 $two-4 \
            "u32 at 20" "u64 at 24"
        check "$one's core with $two's user of a newer header" refused_with $one-4 $two-8 \
            "u64 at 24" "u32 at 20"
    done
done

forced()
{
    run "$permod" run --json --force $CC-8/core.ko -- $CC-4/filter.ko && python3 -c '
import json
taints = [m["taint"] for m in json.load(open("out"))["modules"]]
assert taints == ["", "F"], taints'
}
check "force loads, and taints" forced

unstamped_is_not_checked()
{
    $CC -O2 -g $include -DLEN=4 -c -o plain.ko "$top_srcdir/tests/stamp/filter.c" &&
        run "$permod" run $CC-8/core.ko -- plain.ko && is err ""
}
check "what is not stamped is not checked" unstamped_is_not_checked

only_checksums()
{
    objcopy -R .permod.types $CC-4/filter.ko sums.ko &&
        run "$permod" run $CC-4/core.ko -- sums.ko || return
    ! "$permod" run $CC-8/core.ko -- sums.ko > out 2> err && has err "checksum" &&
        has err "packet_"
}
check "checksums alone are compared too" only_checksums

info_tells()
{
    run "$permod" info $CC-4/filter.ko && grep '^type:' out | sed 's/^type: *//; s/ 0x/ /' |
        cut -d ' ' -f 1,2 > ours && crcs $CC-4/filter.ko > theirs && [ -s ours ] && diff theirs ours &&
        run "$permod" info --json $CC-4/core.ko && python3 -c '
import json
types = {t["name"]: t for t in json.load(open("out"))["types"]}
assert types["packet_push"]["type"] == "fn(*struct packet,*const i8)i32", types
assert all(t["exported"] for t in types.values()), types'
}
check "permod info tells what is recorded" info_tells

in_archive()
{
    printf 'int nothing;\n' > nothing.c && $CC -c nothing.c &&
        rm -f one.a && ar rc one.a $CC-4/filter.ko nothing.o || return
    ! "$permod" run $CC-8/core.ko -- one.a > out 2> err && has err "struct packet: member len" || return
    ld -r -o joined.ko $CC-4/filter.ko nothing.o || return
    ! "$permod" run $CC-8/core.ko -- joined.ko > out 2> err && has err "struct packet: member len" ||
        return
    ! "$permod" stamp one.a 2> err && has err "archive"
}
check "members of archives, and joined objects" in_archive

plan_tells()
{
    "$permod" check $CC-4/filter.ko > out 2> err
    ! has out "struct packet"
}
check "what nobody has is no difference" plan_tells

# A structure that is declared alone.
opaque()
{
    printf '%s\n' 'struct packet; extern struct packet packet_head;' \
        'int packet_push(struct packet *packet, const char *name);' \
        'int open_filter(void) { return packet_push(&packet_head, "x"); }' > opaque.c
    $CC -O2 -g -c -o opaque.ko opaque.c && "$permod" stamp opaque.ko &&
        run "$permod" run $CC-8/core.ko -- opaque.ko && is err ""
}
check "an opaque structure fits" opaque

# ---- Hosts -------------------------------------------------------------------------------------

host_publishes()
{
    for linked in "-DLEN=8" "-DLEN=8 -rdynamic -DBY_LIBDL"; do
        $CC -O2 -g $include $sanitizers $linked -o host "$top_srcdir/tests/stamp/host.c" -L"$libs" \
            -lpermod -lpercpu && "$permod" stamp host || return
        LD_LIBRARY_PATH=$libs run ./host $CC-8/filter.ko && is out "loaded" || return
        LD_LIBRARY_PATH=$libs run ./host $CC-4/filter.ko || return
        has out "struct packet: member len was u32 at 20, is u64 at 24" && has out "the host" || return
    done
}
check "a host publishes types of what it exports" host_publishes

# ---- The file ----------------------------------------------------------------------------------

twice_is_once()
{
    cp $CC-4/core.ko once.ko && "$permod" stamp once.ko && cmp once.ko $CC-4/core.ko &&
        "$permod" stamp --output copy.ko once.ko && cmp copy.ko once.ko || return
    strip -g once.ko -o stripped.ko && readelf -p .permod.types stripped.ko > out && has out "export"
}
check "stamping again gives the same bytes" twice_is_once

keeps_the_rest()
{
    $CC -O2 -g $include -DLEN=4 -c -o fresh.ko "$top_srcdir/tests/stamp/core.c" && chmod 751 fresh.ko &&
        cp -p fresh.ko stamped.ko && "$permod" stamp stamped.ko || return
    [ "$(stat -c %a stamped.ko)" = 751 ] || return
    objcopy -R .permod.types -R __versions stamped.ko back.ko && objcopy fresh.ko fresh2.ko &&
        cmp back.ko fresh2.ko && ! ls stamped.ko.* 2> log
}
check "nothing else of the file changes" keeps_the_rest

kmod_reads()
{
    modprobe --dump-modversions $CC-4/filter.ko > out &&
        sed 's/^0x\([0-9a-f]*\)[[:space:]]\(.*\)$/\2 \1/' out | sort > theirs &&
        crcs $CC-4/filter.ko | sort > ours && [ -s ours ] && diff theirs ours
}
# What depmod takes for exports are the symbols alone, and modinfo tells imports.
kmod_reads_namespaces()
{
    mkdir -p tree/lib/modules/1.0 &&
        printf '%s\n' '#include <permod/module.h>' 'MODULE_LICENSE("GPL");' 'int far;' \
            'EXPORT_SYMBOL_NS(far, OUTER_SPACE);' > far.c &&
        printf '%s\n' '#include <permod/module.h>' 'MODULE_LICENSE("GPL");' 'extern int far;' \
            'MODULE_IMPORT_NS(OUTER_SPACE);' 'int *near(void) { return &far; }' > near.c &&
        $CC -c $include -o tree/lib/modules/1.0/far.ko far.c &&
        $CC -c $include -o tree/lib/modules/1.0/near.ko near.c || return
    [ "$(modinfo -F import_ns tree/lib/modules/1.0/near.ko)" = OUTER_SPACE ] || return
    depmod -b tree -n 1.0 > out 2> log
    grep -q '^near.ko: far.ko$' out && grep -q '^alias symbol:far far$' out && ! grep -q OUTER_SPACE out
}
if installed depmod && installed modinfo; then
    check "depmod and modinfo know namespaces" kmod_reads_namespaces
else
    skip "depmod and modinfo know namespaces" "they are not installed (Debian: kmod)"
fi
if installed modprobe; then
    check "modprobe --dump-modversions agrees" kmod_reads
else
    skip "modprobe --dump-modversions agrees" "it is not installed (Debian: kmod)"
fi

# refuses FILE TEXT: it can't be stamped, and stays as it was.
refuses()
{
    cp "$1" before && ! "$permod" stamp "$1" > out 2> err && has err "$2" && cmp "$1" before &&
        [ "$(wc -l < err)" -eq 1 ]
}

$CC -c -o nodebug.o try.c
# A pipe that nobody writes to must not be waited for.
refuses_pipe()
{
    mkfifo pipe.o && timeout 20 "$permod" stamp pipe.o > out 2> err
    [ $? -eq 1 ] && has err "not a regular file"
}

check "no debug information" refuses nodebug.o "compile with -g"
# libdw looks into one of the sections alone that such objects have; clang makes them for C++ only.
printf '%s\n' '#include <permod/module.h>' 'struct s { int a; } it;' 'EXPORT_SYMBOL(it);' > units.c
if $CC -g -fdebug-types-section $include -c -o units.o units.c 2> log &&
    [ "$(readelf -SW units.o | grep -cE ' \.debug_(info|types) ')" -gt 1 ]; then
    check "types in units of their own" refuses units.o "-fdebug-types-section"
fi
echo "no object" > text.o
check "a pipe" refuses_pipe
check "no object" refuses text.o "no ELF file"
{ cat $CC-4/core.ko; printf 'xxxx~Module signature appended~\n'; } > signed.ko
gzip -c text.o > text.ko.gz
check "what is compressed" refuses text.ko.gz "before it is compressed"
check "what is signed" refuses signed.ko "signed"

# Bytes of a good file are changed, one or some at a time: it is stamped or refused, never a crash.
check "damaged files" python3 "$top_srcdir/tests/stamp/damage.py" "$permod" $CC-4/core.ko
check "damaged records" python3 "$top_srcdir/tests/stamp/damage.py" --records "$permod" $CC-8/core.ko \
    $CC-4/filter.ko

finish
