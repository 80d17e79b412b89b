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
            "-O2 -g -gsplit-dwarf" "-Os -g3" "-gdwarf-4 -fdebug-types-section" \
            "-O2 -gdwarf-5 -fdebug-types-section"; do
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
        for flags in "-O0 -gdwarf-4" "-O2 -gdwarf-5" "-gdwarf-5 -fdebug-types-section" \
            "-gdwarf-4 -fdebug-types-section"; do
            $compiler $flags -fPIC -c -o classes.o "$top_srcdir/tests/stamp/classes.cc" &&
                ld -shared -o classes.so classes.o && "$permod" stamp classes.so || return
            found=$(crcs classes.so | grep -v "D[0-9]Ev\|^_Zd")
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
        has err "packet_" || return
    # As the kernel's modules have no more.
    for version in 4 8; do
        objcopy -R .permod.types $CC-$version/core.ko sums-$version.ko || return
    done
    for user in sums.ko $CC-4/filter.ko; do
        run "$permod" run sums-4.ko -- $user && is err "" || return
        ! "$permod" run sums-8.ko -- $user > out 2> err && has err "checksum of its type was 0x" &&
            has err "of sums_8 than" || return
    done
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
    # Stamped in the archive, as before it; its index names the members still.
    $CC -O2 -g $include -DLEN=4 -c -o filter_of_a_longer_name.o "$top_srcdir/tests/stamp/filter.c" &&
        $CC -O2 -g $include -DLEN=4 -c -o core.o "$top_srcdir/tests/stamp/core.c" && rm -f two.a &&
        ar rc two.a filter_of_a_longer_name.o nothing.o core.o || return
    nm -s two.a | sed '/^$/q' > index && "$permod" stamp --verbose two.a 2> err &&
        has err "two.a(nothing.o): no debug information" && nm -s two.a | sed '/^$/q' | cmp - index &&
        cp two.a again.a && "$permod" stamp again.a && cmp two.a again.a || return
    for member in core filter_of_a_longer_name; do
        "$permod" stamp $member.o && ar p two.a $member.o | cmp - $member.o || return
    done
    ar p two.a nothing.o | cmp - nothing.o && rm -f filter.a && ar rc filter.a filter_of_a_longer_name.o
    ! "$permod" run $CC-8/core.ko -- filter.a > out 2> err && has err "struct packet: member len" || return
    rm -f thin.a && ar rcT thin.a core.o && ! "$permod" stamp thin.a 2> err && has err "thin archive"
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

# recorded NAME: core.ko and filter.ko with other records, of files exports and imports.
recorded()
{
    objcopy --update-section .permod.types=exports $CC-4/core.ko core_$1.ko &&
        objcopy --update-section .permod.types=imports $CC-4/filter.ko filter_$1.ko
}

# Each of two structures of one name counts, also where the other side has one.
variants()
{
    printf 'permod-types 1\nexport packet_push 00000001 fn(*struct a,*struct a#2)void\n%s\n%s\n' \
        "struct a 4
 x 0 i32" "struct a#2 4
 y 0 i32" > exports
    printf 'permod-types 1\nimport packet_push 00000002 fn(*struct a,*struct a)void\n%s\n' "struct a 4
 x 0 i32" > imports
    recorded variants && ! "$permod" run core_variants.ko -- filter_variants.ko > out 2> err &&
        has err "struct a#2: member x (i32 at 0) is gone" || return
    sed 's/ y 0/ x 0/' exports > same && mv same exports && recorded same &&
        run "$permod" run core_same.ko -- filter_same.ko
}
check "structures of one name" variants

# Records that would take an hour to compare.
endless()
{
    python3 -c '
count, length = 100000, 1000000
imports, exports = open("imports", "w"), open("exports", "w")
print("permod-types 1\nimport packet_push 00000001 fn(", end="", file=imports)
print(",".join("*struct a#%d" % i for i in range(count)) + ")void", file=imports)
for i in range(count):
    print("struct a#%d 8\n f 0 fn(?)void" % i, file=imports)
print("permod-types 1\nexport packet_push 00000002 fn(", end="", file=exports)
print(",".join(["*struct a"] * count) + ")void\nstruct a 8", file=exports)
print(" f 0 fn(" + "i" * length + ")void", file=exports)' || return
    recorded endless && ! "$permod" run core_endless.ko -- filter_endless.ko > out 2> err &&
        [ "$(wc -l < err)" -eq 1 ] && has err "packet_push: its type takes too long to be compared"
}
check "records that can't be compared" endless

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

# Shared objects are compared before their constructors run; with libraries that they bring, after those
# were loaded.
shared_objects()
{
    printf '%s\n' '#include <stdio.h>' '__attribute__((constructor)) static void begin(void)' \
        '{ puts("constructed"); fflush(stdout); }' > begin.c
    for version in 4 8; do
        flags="-O2 -g $include -DLEN=$version -fPIC -shared -DPERMOD_SHARED"
        $CC $flags -o shared-$version.so "$top_srcdir/tests/stamp/filter.c" begin.c &&
            "$permod" stamp shared-$version.so &&
            $CC $flags -o libcore-$version.so "$top_srcdir/tests/stamp/core.c" -Wl,-soname,libcore.so &&
            "$permod" stamp libcore-$version.so || return
    done
    LD_LIBRARY_PATH=$libs run ./host ./shared-8.so && has out "loaded" && has out "constructed" || return
    LD_LIBRARY_PATH=$libs run ./host ./shared-4.so || return
    has out "struct packet: member len was u32 at 20, is u64 at 24" && ! grep -q constructed out || return
    mkdir -p brought && cp libcore-8.so brought/libcore.so || return
    for version in 4 8; do
        $CC ${flags%-DLEN=*} -DLEN=$version -fPIC -shared -DPERMOD_SHARED -o brings-$version.so "$top_srcdir/tests/stamp/filter.c" \
            -Wl,-rpath,"$PWD/brought" brought/libcore.so && "$permod" stamp brings-$version.so || return
    done
    run "$permod" run brings-8.so && is err "" || return
    ! "$permod" run brings-4.so > out 2> err && has err "struct packet: member len was u32 at 20" &&
        [ "$(wc -l < err)" -eq 1 ]
}
check "shared objects are checked" shared_objects

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
    objcopy -R .permod.types -R __versions -w -N '__crc_*' stamped.ko back.ko && objcopy fresh.ko fresh2.ko &&
        cmp back.ko fresh2.ko && ! ls stamped.ko.* 2> log
}
check "nothing else of the file changes" keeps_the_rest

# Into a copy, which is whoever's it is that makes it, or a pipe or device, which stays what it is.
whose_it_is()
{
    chmod 4751 fresh.ko && "$permod" stamp --output other.ko fresh.ko &&
        [ "$(stat -c '%a %u' other.ko)" = "751 $(id -u)" ] || return
    cp -p fresh.ko owned.ko && { [ "$(id -u)" != 0 ] || chown 1:1 owned.ko; } && chmod 4751 owned.ko &&
        stat -c '%a %u %g' owned.ko > wanted && "$permod" stamp owned.ko &&
        stat -c '%a %u %g' owned.ko | diff wanted - || return
    mkfifo pipe && ! "$permod" stamp --output pipe fresh.ko 2> err && has err "pipe: not a regular" &&
        [ -p pipe ] && ! ls pipe.* 2> log
}
check "owner, rights and pipes" whose_it_is

kmod_reads()
{
    modprobe --dump-modversions $CC-4/filter.ko > out &&
        sed 's/^0x\([0-9a-f]*\)[[:space:]]\(.*\)$/\2 \1/' out | sort > theirs &&
        crcs $CC-4/filter.ko | sort > ours && [ -s ours ] && diff theirs ours
}
# depmod compares checksums of what modules import with those of what others export. What has no
# checksum is exported still.
depmod_compares()
{
    printf '%s\n' '#include <permod/module.h>' 'int untold;' 'EXPORT_SYMBOL(untold);' > untold.c &&
        $CC -c $include untold.c || return
    for version in 4 8; do
        at=sums/lib/modules/$version.0
        mkdir -p $at && $CC -O2 -g $include -DLEN=$version -c "$top_srcdir/tests/stamp/core.c" &&
            ld -r -o $at/core.ko core.o untold.o && "$permod" stamp $at/core.ko &&
            cp $CC-4/filter.ko $at && : > none && depmod -b sums -e -E none $version.0 > log 2>&1 &&
            grep -q '^alias symbol:untold core$' $at/modules.symbols || return
        grep "disagrees" log | sed 's/.* //' | sort > said-$version
    done
    [ ! -s said-4 ] && [ "$(echo $(cat said-8))" = "packet_head packet_push" ]
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
    check "depmod finds where checksums differ" depmod_compares
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
# Units of types that are compressed can't be put together.
printf '%s\n' '#include <permod/module.h>' 'struct s {' "$(seq -f 'int a%.0f;' 200)" '} it;' \
    'EXPORT_SYMBOL(it);' > units.c
if $CC -g -gz -fdebug-types-section $include -c -o units.o units.c 2> log &&
    [ "$(readelf -SW units.o | grep -cE ' \.debug_(info|types) .*[G ]C ')" -gt 1 ]; then
    check "compressed types in units of their own" refuses units.o "-fdebug-types-section and -gz"
fi
echo "no object" > text.o
check "a pipe" refuses_pipe
check "no object" refuses text.o "no ELF file"
gzip -c text.o > text.ko.gz
check "what is compressed" refuses text.ko.gz "before it is compressed"
{ cat $CC-4/core.ko; printf 'xxxx~Module signature appended~\n'; } > signed.ko
check "what is signed" refuses signed.ko "signed"

# Each namespace's next one is the first within it, so there are 2 ^ 60 of them.
{
    printf '%s\n' '.section .debug_abbrev, "", %progbits' '.byte 1, 0x11, 1, 0, 0' \
        '.byte 2, 0x39, 1, 1, 0x13, 0, 0, 0' '.section .debug_info, "", %progbits' 'begin: .long end - 0f' \
        '0: .short 4' '.long .debug_abbrev' '.byte 8, 1'
    seq 60 | sed 's/.*/.byte 2; .long 0f - begin; 0:/'
    printf '%s\n' '.zero 62' 'end:' '.data' '.global it' 'it: .long 1'
} > endless.s
$CC -c endless.s
check "a tree without an end" refuses endless.o "without an end"

# No section has a name, though one is called the table of them.
nameless()
{
    python3 -c '
import struct
file = bytearray(open("'$CC-4/core.ko'", "rb").read())
table, = struct.unpack_from("<Q", file, 40)
number, = struct.unpack_from("<H", file, 62)
struct.pack_into("<IIQQQ", file, table + 64 * number, 0, 8, 0, 0, 1 << 40)
open("nameless.ko", "wb").write(file)' && refuses nameless.ko "have no names"
}
[ "$(uname -m)" != x86_64 ] || check "sections without names" nameless

# A symbol table that says it is aligned to 2 GB is not padded so.
aligned()
{
    cp "$CC-4/core.ko" aligned.ko && python3 - aligned.ko <<'END' || return
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
start, size, count = (struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58))
for header in range(start, start + size * count, size):
    if struct.unpack_from("<I", data, header + 4)[0] == 2:
        struct.pack_into("<Q", data, header + 48, 0x7F000008)
open(sys.argv[1], "wb").write(data)
END
    timeout 60 "$permod" stamp aligned.ko > out 2> err
    [ $? -lt 2 ] && [ "$(wc -c < aligned.ko)" -lt 1000000 ]
}
[ "$(uname -m)" != x86_64 ] || check "an enormous alignment" aligned

# Bytes of a good file are changed, one or some at a time: it is stamped or refused, never a crash.
check "damaged files" python3 "$top_srcdir/tests/stamp/damage.py" "$permod" $CC-4/core.ko
printf 'int nothing;\n' | $CC -x c -c -o nothing.o - && ar rc whole.a nothing.o $CC-4/core.ko
check "damaged archives" python3 "$top_srcdir/tests/stamp/damage.py" "$permod" whole.a
check "damaged records" python3 "$top_srcdir/tests/stamp/damage.py" --records "$permod" $CC-8/core.ko \
    $CC-4/filter.ko

finish
