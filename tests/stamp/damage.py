#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Damage a file in many ways: a tool that reads it ends with status 0 or 1, never by a signal.

damage.py PERMOD FILE: its debug information and section table, for permod stamp.
damage.py --records PERMOD CORE FILE: what was recorded in it, for a load behind CORE.
"""
import os
import random
import subprocess
import sys

# What a sanitizer finds is told by a status of its own.
SANITIZERS = {name: "exitcode=99:halt_on_error=1" for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
ROUNDS = 2000 if os.environ.get("PERMOD_LONG") == "1" else 40


def damaged(good, chance, low, high):
    bad = bytearray(good)
    for _ in range(chance.choice((1, 1, 3, 20))):
        bad[chance.randrange(low, high)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    if chance.random() < 0.05:
        del bad[chance.randrange(64, len(bad)):]
    return bytes(bad)


def main():
    arguments = sys.argv[1:]
    records = arguments[0] == "--records"
    if records:
        _, permod, core, path = arguments
    else:
        permod, path = arguments
    good = open(path, "rb").read()
    low, high = (good.index(b"permod-types 1\n"), len(good)) if records else (0, len(good))
    chance = random.Random(42)
    statuses = {}
    for _ in range(ROUNDS):
        with open("bad.ko", "wb") as file:
            file.write(damaged(good, chance, low, high))
        command = [permod, "run", core, "--", "bad.ko"] if records else [permod, "stamp", "bad.ko"]
        status = subprocess.run(command, capture_output=True, timeout=120,
                                env={**os.environ, **SANITIZERS}).returncode
        statuses[status] = statuses.get(status, 0) + 1
        if status not in (0, 1):
            os.rename("bad.ko", "crash.ko")
            sys.exit(f"status {status}")
    assert statuses.get(1), statuses


main()
