#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# permod check --for: what it tells of objects for other machines is what their own readelf, ld and nm
# say. A machine whose compiler is not installed is skipped. Nothing is run but permod and these.

. "$(dirname "$0")/shell.sh"

data=$top_srcdir/tests/foreign

# The command without libtool's script, since it is called often.
if [ -x "$libs/permod" ] && [ -z "${EMULATOR-}" ]; then
    permod=$libs/permod
    export LD_LIBRARY_PATH="$libs${LD_LIBRARY_PATH+:$LD_LIBRARY_PATH}"
fi

# Name, tools, whether code without slots is compared, options of the compiler, and of ld. With one
# colon for each blank.
machines="
aarch64  aarch64-linux-gnu-           code  -fno-pic:-mno-outline-atomics  --no-relax
alpha    alpha-linux-gnu-             -     -fno-pic                       --no-relax
arm      arm-linux-gnueabihf-         code  -fno-pic:-marm                 -
hppa     hppa-linux-gnu-              -     -fno-pic                       -
i386     i686-linux-gnu-              code  -fno-pic:-fcf-protection=none  -
m68k     m68k-linux-gnu-              code  -fno-pic                       -
mips     mips-linux-gnu-              code  -fno-pic:-mno-abicalls         -
mips64   mips64el-linux-gnuabi64-     -     -fPIC:-EB                      -m:elf64btsmip
mips64el mips64el-linux-gnuabi64-     -     -fPIC                          -
mipsel   mipsel-linux-gnu-            code  -fno-pic:-mno-abicalls         -
powerpc  powerpc-linux-gnu-           code  -fno-pic                       -
ppc64    powerpc64-linux-gnu-         -     -fPIC                          --no-toc-optimize:--no-opd-optimize
ppc64le  powerpc64le-linux-gnu-       -     -fPIC                          --no-toc-optimize
riscv64  riscv64-linux-gnu-           code  -fno-pic:-mno-relax            --no-relax
s390x    s390x-linux-gnu-             code  -fno-pic                       -
sh4      sh4-linux-gnu-               code  -fno-pic                       -
sparc    sparc64-linux-gnu-           code  -fno-pic:-m32                  -m:elf32_sparc
sparc64  sparc64-linux-gnu-           code  -fno-pic                       -
x86-64   x86_64-linux-gnu-            code  -fno-pic:-fcf-protection=none  --no-relax
"

# ---- Machines ------------------------------------------------------------------------------------

compile()       # TOOLS OPTIONS SOURCE OBJECT
{
    # shellcheck disable=SC2046
    "$1gcc" -O2 -ffreestanding -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-merge-constants \
        $(echo "$2" | tr : ' ') -c "$3" -o "$4"
}

# What is elsewhere lies where every call reaches it. Each page size lets parts lie differently.
tells_what_its_tools_tell()     # NAME TOOLS CODE OPTIONS LDFLAGS
{
    compile "$2" "$4" "$data/module.c" module.o || return
    LDFLAGS=$([ "$5" = - ] || echo "$5" | tr : ' ')
    export LDFLAGS
    for where in 0x10000000:0x10000 0x20100:64; do
        base=${where%:*}
        run "$permod" check --for "$1" --json --output image --base "$base" --page "${where#*:}" \
            --define board_read=$((base + 0x30000)) --define board_limit=$((base + 0x30100)) module.o ||
            return
        mv out document
        python3 "$data/judge.py" "$2" module.o document image $([ "$3" = - ] || echo code) || return
    done
}

# Where functions have descriptors, in one section for all, what drops functions goes by these.
descriptors_do_not_keep_functions()
{
    installed powerpc64-linux-gnu-gcc || { skip "$1" "no powerpc64-linux-gnu-gcc here"; return; }
    cat > dead.c <<'END'
typedef int function(int);
#define HIDDEN __attribute__((visibility("hidden")))
static int dead(int x) { return x * 7; }
static int first(int x) { return x + 1; }
static int second(int x) { return x + 2; }
HIDDEN function *dead_table[1] = { dead };
HIDDEN function *table[2] = { first, second };
HIDDEN int dead_global(int x) { return dead_table[x](x); }
__asm__(".symver dead_global, dead_version@V1");
int entry(int i, int x) { return table[i](x); }
END
    powerpc64-linux-gnu-gcc -O2 -ffunction-sections -fdata-sections -c dead.c || return
    exits 0 --for ppc64 --gc-sections --json dead.o || return
    for name in table entry; do
        grep -q "\"$name\"" out || { echo "no $name"; return 1; }
    done
    ! grep '"\(dead.*\)"' out | grep -v dead.o
}

for_each_machine()
{
    echo "$machines" | grep . > list
    while read -r name tools code options ldflags <&3; do
        if installed "${tools}gcc"; then
            check "tells_what_${name}_tools_tell" \
                tells_what_its_tools_tell "$name" "$tools" "$code" "$options" "$ldflags"
        else
            skip "tells_what_${name}_tools_tell" "no ${tools}gcc here"
        fi
    done 3< list
}

# ---- What is said --------------------------------------------------------------------------------

# exits STATUS ARGUMENT...: `permod check` ends so.
exits()
{
    wanted=$1
    shift
    timeout 60 "$permod" check "$@" > out 2> err < /dev/null
    status=$?
    [ $status -eq "$wanted" ] || { echo "status $status, not $wanted: $*"; return 1; }
}

# refuses STATUS TEXT ARGUMENT...: and says so, on either stream.
refuses()
{
    text=$2
    exits "$1" "${@:3}" || return
    cat out err > said
    has said "$text"
}

# The error's list is that of --help and of the man page, and has all of this test.
machines_are_listed()
{
    exits 2 --for nothing x.o || return
    sed -n 's/.*(known: \(.*\))/\1/p' err | tr ' ' '\n' > known
    [ "$(echo "$machines" | awk 'NF { print $1 }')" = "$(cat known)" ] || { cat known; return 1; }
    exits 0 --help || return
    tr -s ' .\n' ' ' < out | grep -qF "ARCH is one of $(tr '\n' ' ' < known)" || return
    while read -r name; do
        sed 's/\\//g' "$top_srcdir/doc/permod.1" | grep -q "^\.B.* $name\b" || { echo "no $name"; return 1; }
    done < known
}

wrong_numbers_are_refused()
{
    : > x.o
    for number in "" x 12x -1 0x " 1" 99999999999999999999; do
        for option in --base --percpu --page; do
            refuses 2 "no number, or NAME=ADDRESS: '$number'" --for arm "$option=$number" x.o || return
        done
        refuses 2 "no number, or NAME=ADDRESS: 'f=$number'" --for arm "--define=f=$number" x.o || return
    done
    refuses 2 "no number, or NAME=ADDRESS: '=1'" --for arm --define==1 x.o || return
    refuses 2 "no number, or NAME=ADDRESS: 'f'" --for arm --define=f x.o || return
    for page in 0 8 100 0x80000000; do
        refuses 2 "--page: no power of two from 16 to 0x40000000" --for arm --page=$page x.o || return
    done
    refuses 2 "--base: 0x8000 is no multiple of a page (0x10000)" --for arm --base=0x8000 x.o || return
    refuses 2 "--percpu: 0x10 is no multiple of a page (0x2000)" --for m68k --percpu=16 x.o || return
    refuses 2 "--base: no address of arm (found 0x100000000, at most 0xffffffff)" \
        --for arm --base=0x100000000 x.o || return
    refuses 2 "f: no address of arm (found 0x100000000, at most 0xffffffff)" \
        --for arm --define=f=0x100000000 x.o
}

options_go_together()
{
    : > x.o
    for option in --base=1 --percpu=1 --page=16 --define=f=1 --just-symbols=x --no-undefined --output=x; do
        refuses 2 "need --for" $option x.o || return
    done
    for option in --module-dir=. --config=. --signatures=warn --certificate=x; do
        refuses 2 "are not for --for" --for arm $option x.o || return
    done
}

files_of_other_kinds_are_refused()
{
    compile arm-linux-gnueabihf- -marm "$data/module.c" arm.o || return
    refuses 1 "arm.o: compiled for arm (found machine 40, need 8)" --for mips arm.o || return
    refuses 1 "arm.o: compiled for arm" --for mips --json arm.o && python3 -m json.tool < out > log || return
    refuses 1 "not an ELF file" --for arm "$data/module.c" || return
    refuses 1 "x.none: No such file" --for arm x.none || return
    refuses 1 "not a regular file" --for arm . || return
    arm-linux-gnueabihf-gcc -nostdlib -static -Wl,-e,count,--unresolved-symbols=ignore-all arm.o -o arm || return
    refuses 1 "give a relocatable object" --for arm arm || return
    exits 1 arm.o
}

missing_symbols_are_errors_if_wanted()
{
    exits 0 --for arm arm.o || return
    has out "symbols of which nobody says where they are: 2" || return
    refuses 1 "undefined symbol board_read; say where it is" --for arm --no-undefined arm.o || return
    has out "undefined symbol board_limit" || return
    exits 0 --for arm --no-undefined --define board_read=0x100 --define board_limit=0x200 arm.o || return
    refuses 0 "warning: --define borad: the file does not need it" --for arm --define borad=1 arm.o
}

# What does not fit ld refuses too, and what does it takes.
fields_have_bounds()
{
    printf '.data\n.2byte x\n' | aarch64-linux-gnu-as -o x.o - || return
    for value in 0 65535 65536 1048576; do
        if aarch64-linux-gnu-ld -e 0 --defsym=x=$value x.o -o x 2> log; then theirs=0; else theirs=1; fi
        exits $theirs --for aarch64 --define x=$value x.o || return
        [ $value -ne 65535 ] || [ $theirs -eq 0 ] || return
    done
    [ $theirs -eq 1 ] && has out "relocation R_AARCH64_ABS16 against symbol x is out of reach \
(found 1048576, at least 0 and at most 65535)" || return
    exits 1 --for aarch64 --output none --define x=65536 x.o && [ ! -e none ]
}

addresses_end_where_they_end()
{
    refuses 1 "it does not end before the last address of arm (found 0x1" --for arm --base 0xffff0000 arm.o ||
        return
    refuses 1 "give a lower --percpu" --for aarch64 --percpu 0xffffffffffff0000 big.o || return
    exits 0 --for arm --page 16 --base 0xfffff000 arm.o
}

# Functions that branches don't reach are reached by a stub, but only functions.
far_functions_have_stubs()
{
    exits 0 --for arm --define board_read=0x80000000 --define board_limit=0x80000100 arm.o || return
    grep -E '^board_read +--define +0x80000000 +GOT, stub +' out > log || return
    grep -E '^board_limit +--define +0x80000100 +direct +' out > log
}

# As nm tells them.
symbols_come_from_a_program()
{
    printf '%s\n' 'int board_limit; int board_read(unsigned r) { return (int)r; }' > board.c
    arm-linux-gnueabihf-gcc -O2 -nostdlib -static -Wl,-e,board_read board.c -o board || return
    exits 0 --for arm --no-undefined --json --just-symbols board arm.o || return
    mv out document
    arm-linux-gnueabihf-readelf -sW board > symbols
    python3 -c '
import json
wanted = {l.split()[7]: int(l.split()[1], 16) for l in open("symbols") if len(l.split()) == 8 and "GLOBAL" in l}
found = {s["name"]: s for s in json.load(open("document"))["symbols"]}
assert set(found) == {"board_read", "board_limit"}, found
for name, symbol in found.items():
    assert int(symbol["address"], 16) == wanted[name] and symbol["provider"] == "board", (symbol, wanted)
' || return
    exits 0 --for arm --json --just-symbols board --define board_limit=0x77 arm.o && has out '"0x77"' || return
    refuses 1 "not a program" --for arm --just-symbols arm.o arm.o || return
    refuses 1 "not an ELF file" --for arm --just-symbols board.c arm.o || return
    refuses 1 "not for mips (found machine 40 of 32 bits, need 8)" --for mips --just-symbols board arm.o ||
        return
    arm-linux-gnueabihf-strip board
    refuses 1 "it has no symbols" --for arm --just-symbols board arm.o
}

# Whatever the tables say the document says, and the other way round.
text_and_json_agree()
{
    exits 0 --for arm --define board_read=0x80000000 --with more.o arm.o && mv out text || return
    exits 0 --for arm --define board_read=0x80000000 --with more.o --json arm.o && mv out document || return
    python3 -c '
import json
rows = [tuple(l.split()) for l in open("text").read().split("\n\n", 1)[1].splitlines() if l]
found = json.load(open("document"))
way = {(False, False): "direct", (True, False): "GOT", (False, True): "stub", (True, True): "GOT, stub"}
wanted = [("region", "address", "size")]
wanted += [(r["name"], r["address"] or "-", str(r["size"])) for r in found["regions"]]
wanted += [("object", "section", "region", "address", "size", "align")]
wanted += [(s["object"], s["section"], s["region"], s["address"] or "-", str(s["size"]), str(s["align"]))
           for s in found["sections"]]
wanted += [("needed", "provider", "address", "reached", "uses", "first", "in", "at")]
for s in found["symbols"]:
    first = s["first"]
    wanted += [(s["name"], s["provider"] or "assumed", s["address"], *way[s["got"], s["stub"]].split(),
                str(s["references"]), first["type"], first["section"], "+0x%x" % first["offset"])]
wanted += [("defined", "region", "address", "size")]
wanted += [(d["name"], d["region"], d["address"] or "-", str(d["size"])) for d in found["defined"]]
wanted += [("relocation", "uses")]
wanted += [(t, str(n)) for t, n in found["relocations"].items()]
assert rows == wanted, (rows, wanted)
assert {s["object"] for s in found["sections"]} == {"arm.o", "more.o"}
assert {s["got"] for s in found["symbols"]} == {True, False}
'
}

# Of an archive what is needed, and of that what is left of --gc-sections.
archives_and_unneeded_sections()
{
    printf '%s\n' 'int used(void) { return 1; }' 'int unused(void) { return 2; }' > lib.c
    printf '%s\n' 'int other(void) { return 3; }' > other.c
    printf '%s\n' 'int used(void);' 'int begin(void) { return used(); }' > begin.c
    for name in lib other begin; do
        compile arm-linux-gnueabihf- -ffunction-sections $name.c $name.o || return
    done
    arm-linux-gnueabihf-ar rc lib.a lib.o other.o begin.o || return
    exits 0 --for arm --root begin lib.a && ! grep -w other out && grep -w unused out > log || return
    exits 0 --for arm --root begin --gc-sections lib.a && ! grep -w unused out || return
    exits 0 --for arm --whole-archive lib.a && grep -w other out > log
}

output_is_told_if_it_fails()
{
    refuses 1 "no/such/folder: No such file or directory" --for arm --output no/such/folder arm.o
}

# Cut off anywhere, or with any byte changed, a file is told of or linked, and nothing else happens.
damaged_files_do_no_harm()
{
    python3 -c '
import os, random, subprocess, sys
permod, source, option = sys.argv[1:]
whole = open(source, "rb").read()
chosen = random.Random(7)
def check(data):
    open("damaged", "wb").write(data)
    files = ["--just-symbols", "damaged", "arm.o"] if option else ["damaged"]
    done = subprocess.run([permod, "check", "--for", "arm", "--output", "image", *files],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode in (0, 1) and text and b"Sanitizer" not in text and b"runtime error" not in text, (
        done.returncode, text)
    return done.returncode
results = [check(whole[:chosen.randrange(len(whole))]) for i in range(15)]
for i in range(25):
    data = bytearray(whole)
    for j in range(chosen.choice((1, 4, 30))):
        data[chosen.randrange(len(data))] = chosen.randrange(256)
    results.append(check(bytes(data)))
assert 1 in results
' "$permod" "$@"
}

check descriptors_do_not_keep_functions descriptors_do_not_keep_functions
check machines_are_listed machines_are_listed
check wrong_numbers_are_refused wrong_numbers_are_refused
check options_go_together options_go_together
if installed aarch64-linux-gnu-gcc; then
    printf '.section .data..percpu,"aw"\n.space 0x20000\n' | aarch64-linux-gnu-as -o big.o -
    check fields_have_bounds fields_have_bounds
else
    skip fields_have_bounds "no aarch64-linux-gnu-gcc here"
fi
if installed arm-linux-gnueabihf-gcc; then
    printf '%s\n' 'int more = 1;' > more.c
    compile arm-linux-gnueabihf- -marm more.c more.o
    check files_of_other_kinds_are_refused files_of_other_kinds_are_refused
    check missing_symbols_are_errors_if_wanted missing_symbols_are_errors_if_wanted
    check addresses_end_where_they_end addresses_end_where_they_end
    check far_functions_have_stubs far_functions_have_stubs
    check symbols_come_from_a_program symbols_come_from_a_program
    check text_and_json_agree text_and_json_agree
    check archives_and_unneeded_sections archives_and_unneeded_sections
    check output_is_told_if_it_fails output_is_told_if_it_fails
    check damaged_objects_do_no_harm damaged_files_do_no_harm arm.o ""
    check damaged_programs_do_no_harm damaged_files_do_no_harm arm --just-symbols
else
    skip "what is said of files for arm" "no arm-linux-gnueabihf-gcc here"
fi
for_each_machine
finish
