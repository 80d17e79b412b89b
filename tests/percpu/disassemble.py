#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""disassemble.py OBJDUMP PROGRAM

Reads the code of each restartable sequence of sequences.c as the machine's objdump sees it, which
knows nothing of our headers. From the beginning to the commit it must be instructions and no data, none
of which is a call, as threads may not leave; it must end with an instruction that stores, and no other
before that may store, as an aborted sequence begins again.
"""
import re
import subprocess
import sys

sys.dont_write_bytecode = True

from step import Elf

# By ELF machine: instructions that store, and those that call. x86's are those with memory as the last
# operand, unless they only compare; s390x's compare-and-swap of two words stores as well.
X86 = r"(?!cmp|test|lea|mov\w* .*\),)\S+ .*\(%?[^)]*\)$|\S+ .*%[fg]s:[^,]*$", r"call"
MIPS = r"s[bhwd] ", r"(jal|bal)"
MACHINES = {
    3: X86,
    8: MIPS,
    21: (r"st", r"(bl|bctrl)\b"),
    22: (r"(st|cdsg )", r"(bras|brasl|basr|jas)"),
    40: (r"str", r"blx?\b"),
    62: X86,
    183: (r"st(r|p|ur)", r"blr?\b"),
    243: (r"s[bhwd] ", r"(jal|jalr|call)\b"),
}
NO_CODE = re.compile(r"\.(word|long|short|byte|inst)|\(bad\)|undefined|unimp")
LINE = re.compile(r"\s*([0-9a-f]+):\s+(.*)")


def instructions(objdump, path):
    """Address -> text."""
    listing = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    lines = (LINE.fullmatch(line) for line in listing.splitlines())
    return {int(line[1], 16): " ".join(line[2].split()) for line in lines if line}


def check(sequence, stores, calls):
    for text in sequence:
        assert not NO_CODE.search(text), "no instruction: %s" % text
        assert not re.match(calls, text), "a call: %s" % text
    assert re.search(r"[(\[]|%[fg]s:", sequence[-1]), "the last has no memory: %s" % sequence[-1]
    for text in sequence[:-1]:
        assert not re.match(stores, text), "it stores before the end: %s" % text
    return bool(re.match(stores, sequence[-1]))


def main(objdump, path):
    elf = Elf(path)
    code = instructions(objdump, path)
    stores, calls = MACHINES[elf.machine]
    descriptors = elf.descriptors()
    assert descriptors, "no sequences"
    writing = 0
    for start, (_, length, _) in descriptors.items():
        addresses = [at for at in sorted(code) if start <= at < start + length]
        assert addresses and addresses[0] == start and start + length in code, "%x: between " \
            "instructions" % start
        writing += check([code[at] for at in addresses], stores, calls)
    assert writing, "none stores"
    print("%d sequences, %d of them store" % (len(descriptors), writing))


main(*sys.argv[1:])
