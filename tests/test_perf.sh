#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules in profiles: what is in the map and in the dump for perf, byte for byte, and what perf makes
# of them where it may record.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/perf
$CC -O2 -g $include -c -o busy.ko "$here/busy.c" || exit 1

# Runs the command with a setting of PERMOD_PERF; the process's number is in $process.
profiled()
{
    setting=$1
    shift
    PERMOD_PERF=$setting JITDUMPDIR=$work "$permod" run "$@" > out 2> err &
    process=$!
    wait $process || return
}

# Sizes and code are those of the object file; `objcopy` and `nm` tell them.
map_has_functions()
{
    profiled 1 --call tick --cpus "$cpu" busy.ko
    status=$?
    # Nobody else can read what is where.
    mode=$(stat -c %a /tmp/perf-$process.map)
    mv /tmp/perf-$process.map map || return
    [ $status -eq 0 ] && [ "$mode" = 600 ] && ! grep -q calls map || return
    for function in tick spin; do
        size=$(nm -S busy.ko | awk -v name=$function '$4 == name { print $2 }' | sed 's/^0*//')
        grep -qE "^[0-9a-f]+ $size $function \[busy\]\$" map || { cat map; return 1; }
    done
}
check "the map has functions with their sizes" map_has_functions

dump_has_code()
{
    profiled jitdump --call tick --cpus "$cpu" busy.ko || return
    objcopy -O binary --only-section=.text busy.ko text.bin
    nm -S busy.ko | awk '$3 ~ /[tT]/ { print $1, $2, $4 }' > functions
    python3 - jit-$process.dump $process <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
magic, version, size, machine, _, pid, _, flags = struct.unpack_from("=6I2Q", data)
assert (magic, version, size, machine, pid, flags) == (0x4a695444, 1, 40, 62, int(sys.argv[2]), 0)
text = open("text.bin", "rb").read()
wanted = {}
for line in open("functions"):
    offset, length, name = line.split()
    wanted[name] = (int(offset, 16), int(length, 16))
at, last, found = size, 0, []
while at < len(data):
    kind, total, time = struct.unpack_from("=2IQ", data, at)
    pid, tid, vma, address, length, index = struct.unpack_from("=2I4Q", data, at + 16)
    name, code = data[at + 56:at + total].split(b"\0", 1)
    name, module = name.decode().split()
    assert (kind, module, index, vma) == (0, "[busy]", len(found), address), name
    assert pid == int(sys.argv[2]) and time >= last and len(code) == length == wanted[name][1], name
    # spin refers to nothing, so its bytes are those of the file.
    if name == "spin":
        assert code == text[wanted[name][0]:][:length]
    found.append(name)
    last, at = time, at + total
assert at == len(data) and sorted(found) == sorted(wanted), (found, wanted)
END
}
check "the dump has functions with their code" dump_has_code

nothing_unless_asked()
{
    profiled 0 --call tick --cpus "$cpu" busy.ko && ! [ -e /tmp/perf-$process.map ] &&
        ! [ -e jit-$process.dump ]
}
check "nothing without PERMOD_PERF" nothing_unless_asked

# Neither follows a link that somebody else put there.
link_is_left_alone()
{
    echo precious > victim
    cat > run.sh <<'END'
ln -s "$work/victim" /tmp/perf-$$.map
PERMOD_PERF=1 exec "$libs/permod" run busy.ko
END
    export work libs
    LD_LIBRARY_PATH=$libs sh run.sh > out 2> err &
    process=$!
    wait $process
    rm -f /tmp/perf-$process.map
    is victim precious
}
check "a link is not followed" link_is_left_alone

misspelt()
{
    ! PERMOD_PERF=jit-dump run "$permod" run busy.ko || { echo "it runs"; return 1; }
    has err "PERMOD_PERF has a value that is unknown" && PERMOD_PERF=0 run "$permod" run busy.ko
}
check "an unknown value of PERMOD_PERF" misspelt

# ---- perf itself ----------------------------------------------------------------------------------

record()
{
    setting=$1
    shift
    HOME=$work PERMOD_PERF=$setting JITDUMPDIR=$work LD_LIBRARY_PATH=$libs timeout 100 perf record -q -k mono \
        -e cpu-clock:u -o perf.data "$libs/permod" run --call tick --count 3000 --cpus "$cpu" "$@" \
        > out 2> err
}

if ! installed perf || ! perf record -q -e cpu-clock:u -o perf.data true > log 2>&1; then
    skip "perf report" "perf is not installed, or may not record"
    finish
fi

# spin() is where nearly all the time goes, as so many calls take more than a loaded machine delays.
most_is_spin()
{
    perf report -i "$1" --stdio --sort symbol 2> err > out
    awk '/spin \[busy\]/ && $1 + 0 > 50 { found = 1 } END { exit !found }' out
}

report_by_map()
{
    record 1 busy.ko && most_is_spin perf.data
    status=$?
    rm -f /tmp/perf-"$(perf script -i perf.data -F pid 2> log | head -n 1 | tr -d ' ')".map
    return $status
}
check "perf report by the map" report_by_map

report_by_dump()
{
    record jitdump busy.ko && HOME=$work perf inject --jit -i perf.data -o injected.data > log 2>&1 &&
        most_is_spin injected.data
}
check "perf report by the dump" report_by_dump

finish
