# SPDX-License-Identifier: LGPL-2.1-or-later
"""
judge.py TOOLS OBJECT JSON IMAGE [CODE] - is what `permod check --for` says of an object, and the image that
it wrote, what that machine's readelf, ld and nm say?

TOOLS is what their names begin with; LDFLAGS in the environment are for ld. Without CODE the machine's code
is not compared: that uses slots, which ld numbers in its own order.
"""
import collections, json, os, re, subprocess, sys

tools, path, document, image = sys.argv[1:5]
with_code = len(sys.argv) > 5
found = json.load(open(document))
base = int(found["base"], 16)
assert found["links"] and found["problems"] == [], found["problems"]


def run(tool, *arguments):
    done = subprocess.run([tools + tool, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- readelf: sections, relocations --------------------------------------------------------------

line = re.compile(r"\[ *\d+\] (\S+) +(\w+) +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) [0-9a-f]+ +(\w*) +\d+ +\d+ +(\d+)")
Section = collections.namedtuple("Section", "size align filled offset")


def sections_of(file):
    """Those that are loaded, by name."""
    found = {}
    for name, kind, offset, size, flags, align in line.findall(run("readelf", "-SW", file)):
        if "A" in flags and int(size, 16):
            found[name] = Section(int(size, 16), max(int(align), 1), kind != "NOBITS", int(offset, 16))
    return found


sections = sections_of(path)
told = {s["section"]: (s["size"], s["align"]) for s in found["sections"]}
assert told == {name: (s.size, s.align) for name, s in sections.items()}, (told, sections)

uses = collections.Counter()
loaded = False
for text in run("readelf", "-rW", path).splitlines():
    match = re.match(r"Relocation section '\.rela?(\S+)'", text)
    if match:
        loaded = match.group(1) in sections
    match = re.match(r"[0-9a-f]+ +[0-9a-f]+ +(R_\w+)", text)
    if match and loaded:
        uses[match.group(1)] += 1
# Hints for linkers are not relocations that are done.
hints = {"R_RISCV_RELAX", "R_RISCV_ALIGN", "R_ARM_V4BX", "R_SH_USES", "R_SH_COUNT", "R_SH_ALIGN", "R_SH_CODE",
         "R_SH_DATA", "R_SH_LABEL", "R_PPC64_TOCSAVE", "R_ALPHA_LITUSE"}
if tools.startswith("mips64"):
    # An entry has up to three types, and readelf a line for each entry with a column of the first.
    assert sum(found["relocations"].values()) == sum(uses.values()), (found["relocations"], uses)
else:
    assert found["relocations"] == {t: n for t, n in uses.items() if t not in hints}, (found["relocations"], uses)
assert uses, "no relocations"

# ---- ld: the same sections at the same places ----------------------------------------------------

# ld makes those of mips by itself, and the other counts from a segment's beginning, where it has others.
own_ways = {".reginfo", ".MIPS.abiflags", ".MIPS.options", ".PARISC.unwind"}
extra = base + 0x800000
with open("judge.ld", "w") as script:
    script.write("SECTIONS {\n")
    for s in sorted(found["sections"], key=lambda s: int(s["address"], 16)):
        if s["section"] not in own_ways:
            script.write("%s %s : { *(%s) }\n" % (s["section"], s["address"], s["section"]))
    script.write(".got %#x : { *(.got*) *(.plt*) *(.stub) }\n_gp = %#x;\n" % (extra, extra + 0x7ff0))
    script.writelines("%s : { *(%s) }\n" % (name, name) for name in sorted(own_ways))
    script.write("}\n")
defined = ["--defsym=%s=%s" % (s["name"], s["address"]) for s in found["symbols"]]
run("ld", *os.environ.get("LDFLAGS", "").split(), "-e", "0", "-T", "judge.ld", *defined, "-o", "judge", path)

names = {s[2]: int(s[0], 16) for s in map(str.split, run("nm", "judge").splitlines()) if len(s) == 3}
wanted = [s["name"] for s in found["defined"]]
assert set(wanted) == {"table", "cell", "limits", "events", "count", "entry", "poll_board"}, wanted
for s in found["defined"]:
    assert int(s["address"], 16) == names[s["name"]], (s, hex(names[s["name"]]))

# ---- The bytes -----------------------------------------------------------------------------------

ours, theirs = open(image, "rb").read(), open("judge", "rb").read()
linked = sections_of("judge")
compared = 0
for s in found["sections"]:
    name, size = s["section"], s["size"]
    if not sections[name].filled or name in own_ways or s["region"] == "percpu":
        continue
    if name.startswith(".text") and not with_code:
        continue
    mine, its = int(s["address"], 16) - base, linked[name].offset
    assert linked[name].size == size, (name, linked[name])
    assert ours[mine:mine + size] == theirs[its:its + size], (
        name, ours[mine:mine + size].hex(), theirs[its:its + size].hex())
    compared += size
assert compared, "nothing was compared"
print(tools, len(uses), "types,", compared, "bytes")
