#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compile each declaration of a table, stamp it, and compare checksums.

shapes.py TABLE PERMOD COMPILER: those joined by = are the same, by ! they differ.
shapes.py TABLE PERMOD --agree COMPILER COMPILER: each has the same with both compilers.
"""
import os
import re
import subprocess
import sys


def read_table(path):
    for line in open(path):
        line = line.strip()
        if line and not line.startswith("#"):
            first, sign, second = re.split(r"(?<=[;}]) ([=!]) ", line)
            yield first, sign, second


def make(names, compiler, permod):
    """Compile and stamp declarations, each a file."""
    for declaration, name in names.items():
        with open(name + ".c", "w") as file:
            print("#include <stdint.h>", declaration, sep="\n", file=file)
            print('static const char n[] __attribute__((section("__ksymtab_strings"), used)) = "it";'
                  '\nstatic const void *const __ksymtab_it __attribute__((section("__ksymtab"), used))'
                  " = (const void *)&it;", file=file)
    sources = [os.path.basename(name) + ".c" for name in names.values()]
    folder = os.path.dirname(next(iter(names.values())))
    subprocess.run([compiler, "-g", "-w", "-c", *sources], cwd=folder, check=True)
    subprocess.run([permod, "stamp", *[name + ".o" for name in names.values()]], check=True)


def checksums(declarations, compiler, permod):
    """The declarations' checksums in order; what an earlier run made of this table is taken as it is."""
    folder = "shapes-" + os.path.basename(compiler)
    names = {text: f"{folder}/s{number}" for number, text in enumerate(dict.fromkeys(declarations))}
    if not os.path.isdir(folder):
        os.mkdir(folder)
        make(names, compiler, permod)
    found = {}
    for declaration, name in names.items():
        text = open(name + ".o", "rb").read()
        match = re.search(rb"\nexport it ([0-9a-f]{8}) ([^\n]*)\n", text)
        if not match:
            sys.exit(f"nothing recorded: {declaration}")
        found[declaration] = (match[1].decode(), match[2].decode())
    return [found[text] for text in declarations]


def main():
    table, permod, *compilers = sys.argv[1:]
    rows = list(read_table(table))
    declarations = [text for first, _, second in rows for text in (first, second)]
    wrong = 0
    if compilers[0] == "--agree":
        one, two = (checksums(declarations, compiler, permod) for compiler in compilers[1:])
        for declaration, first, second in zip(declarations, one, two):
            if first != second:
                print(f"{declaration}: {first}, {second}")
                wrong += 1
    else:
        found = checksums(declarations, compilers[0], permod)
        for number, (first, sign, second) in enumerate(rows):
            one, two = found[2 * number], found[2 * number + 1]
            if (one[0] == two[0]) != (sign == "="):
                print(f"{first} {sign} {second}: {one}, {two}")
                wrong += 1
    assert len(rows) > 70
    sys.exit(wrong != 0)


main()
