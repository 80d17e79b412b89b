#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""step.py EMULATOR PROGRAM SIGNATURE [ARGUMENT...]

Runs sequences.c, a fixed static program, under a QEMU user-mode emulator and does what the kernel
does to a thread inside a restartable sequence that it moves to another CPU: it clears rseq_cs, sets
cpu_id, and sends the thread to the abort address. When, the program says in `test_step`, of the
sequence that it enters next: 0 moves it before the first instruction without an abort, as if it had
not begun; N aborts before the Nth instruction. What happened is in `test_outcome`: 1 moved before, 2
aborted, 3 the sequence was left before, and moved then. In the last case `test_snapshot` has what
was in `test_copy` at that moment.

On the way it checks what the kernel would kill the thread for: that rseq_cs names the descriptor, that
this is of version 0 with the abort address outside, and the signature before the abort address.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

# Number of the program counter among the registers of QEMU's debugger interface, by ELF machine.
PROGRAM_COUNTER = {3: 8, 8: 37, 21: 64, 22: 1, 40: 15, 62: 16, 183: 32, 243: 32}
NEVER = 0xffffffff
SNAPSHOT = 8 * 32  # bytes of test_copy


class Elf:
    """What is needed of a program: byte order, machine, sections, symbols."""

    def __init__(self, path):
        self.data = open(path, "rb").read()
        self.wide = self.data[4] == 2
        self.order, self.order_name = ("<", "little") if self.data[5] == 1 else (">", "big")
        self.machine, = self.unpack("H", 18)
        offset, = self.unpack("Q" if self.wide else "I", 40 if self.wide else 32)
        size, count, names = self.unpack("HHH", 58 if self.wide else 46)
        form = "IIQQQQIIQQ" if self.wide else "IIIIIIIIII"
        headers = [self.unpack(form, offset + i * size) for i in range(count)]
        strings = headers[names][4]
        self.sections = {self.string(strings + h[0]): h for h in headers}
        self.symbols = {}
        table = self.sections[".symtab"]
        strings = headers[table[6]][4]
        for at in range(table[4], table[4] + table[5], table[9]):
            if self.wide:
                name, _, _, _, value, _ = self.unpack("IBBHQQ", at)
            else:
                name, value, _, _, _, _ = self.unpack("IIIBBH", at)
            self.symbols[self.string(strings + name)] = value

    def unpack(self, form, at):
        return struct.unpack_from(self.order + form, self.data, at)

    def string(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode()

    def descriptors(self):
        """Start address -> (address of the descriptor, length, abort address)."""
        header = self.sections["__pcpu_rseq_cs"]
        found = {}
        for at in range(0, header[5], 32):
            version, flags, start, length, abort = self.unpack("IIQQQ", header[4] + at)
            assert version == 0 and flags == 0 and length > 0, "a bad descriptor"
            assert not start <= abort < start + length, "an abort address inside the sequence"
            assert start not in found, "two descriptors of one sequence"
            found[start] = (header[3] + at, length, abort)
        return found


class Debugger:
    """A client of the GDB remote protocol."""

    def __init__(self, path, elf):
        self.elf = elf
        self.register = PROGRAM_COUNTER[elf.machine]
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                assert time.monotonic() < deadline, "the emulator does not answer"
                time.sleep(0.01)
        self.buffer = b""
        self.ask("?")
        # Single registers can be had only by those who have read the description of all.  Where there
        # is none (MIPS), all are alike.
        self.digits = 16 if elf.wide else 8
        self.ask("qXfer:features:read:target.xml:0,fff")
        self.single = self.ask("p%x" % self.register) != ""

    def ask(self, text):
        body = text.encode()
        self.socket.sendall(b"$%s#%02x" % (body, sum(body) & 255))
        while True:
            begin = self.buffer.find(b"$")
            end = self.buffer.find(b"#", begin + 1)
            if begin >= 0 and end >= 0 and len(self.buffer) >= end + 3:
                answer = self.buffer[begin + 1:end].decode()
                self.buffer = self.buffer[end + 3:]
                self.socket.sendall(b"+")
                return answer
            piece = self.socket.recv(4096)
            assert piece, "the emulator is gone"
            self.buffer += piece

    def order(self, text):
        answer = self.ask(text)
        assert answer == "OK", "%s: %s" % (text, answer)

    def pc(self):
        if not self.single:
            text = self.ask("g")[self.digits * self.register:][:self.digits]
        else:
            text = self.ask("p%x" % self.register)
        return int.from_bytes(bytes.fromhex(text), self.elf.order_name)

    def set_pc(self, value):
        text = value.to_bytes(self.digits // 2, self.elf.order_name).hex()
        if not self.single:
            at, registers = self.digits * self.register, self.ask("g")
            self.order("G" + registers[:at] + text + registers[at + self.digits:])
        else:
            self.order("P%x=%s" % (self.register, text))

    def step(self):
        """One instruction; on MIPS a branch and what is in its delay slot, which is one to a kernel."""
        branch = self.elf.machine == 8 and self.read("I", self.pc()) >> 26 in (1, 4, 5)
        self.ask("s")
        if branch:
            self.ask("s")

    def read(self, form, at):
        size = struct.calcsize(form)
        return struct.unpack(self.elf.order + form,
                             bytes.fromhex(self.ask("m%x,%x" % (at, size))))[0]

    def write(self, form, at, value):
        data = struct.pack(self.elf.order + form, value)
        self.order("M%x,%x:%s" % (at, len(data), data.hex()))

    def breakpoint(self, at):
        self.order("Z0,%x,%x" % (at, 2 if self.elf.machine == 40 else 4))


class Kernel:
    def __init__(self, debugger, elf, signature):
        self.debugger = debugger
        self.symbols = elf.symbols
        self.area = elf.symbols["test_area"]
        self.signature = signature
        self.sequences = elf.descriptors()
        self.aborts = 0
        self.seen = set()
        for start in self.sequences:
            debugger.breakpoint(start)

    def global_word(self, name):
        return self.debugger.read("I", self.symbols[name])

    def move(self, outcome):
        other = self.global_word("test_other_cpu")
        self.debugger.write("I", self.area, other)
        self.debugger.write("I", self.area + 4, other)
        self.debugger.write("I", self.symbols["test_outcome"], outcome)

    def snapshot(self):
        memory = self.debugger.ask("m%x,%x" % (self.symbols["test_copy"], SNAPSHOT))
        self.debugger.order("M%x,%x:%s" % (self.symbols["test_snapshot"], SNAPSHOT, memory))

    def abort(self, abort):
        found = self.debugger.read("I", abort - 4)
        assert found == self.signature, "signature %#x before the abort address" % found
        self.debugger.write("Q", self.area + 8, 0)
        self.move(2)
        self.debugger.set_pc(abort)
        self.aborts += 1

    def at_start(self, start):
        """The thread enters a sequence; leave it where it is to go on from."""
        debugger = self.debugger
        descriptor, length, abort = self.sequences[start]
        step = self.global_word("test_step")
        if step == NEVER or self.global_word("test_outcome"):
            debugger.step()
            return
        self.seen.add(start)
        assert debugger.read("Q", self.area + 8) == descriptor, "rseq_cs names something else"
        if step == 0:
            self.move(1)
            debugger.step()
            return
        for _ in range(step - 1):
            debugger.step()
            if not start <= debugger.pc() < start + length:
                self.snapshot()
                self.move(3)
                return
        self.abort(abort)

    def run(self):
        """Until the program ends; returns its exit status."""
        while True:
            answer = self.debugger.ask("c")
            if answer[0] == "W":
                return int(answer[1:3], 16)
            assert answer[0] in "TS" and answer[1:3] == "05", "stopped: " + answer
            pc = self.debugger.pc()
            assert pc in self.sequences, "stopped at %#x" % pc
            self.at_start(pc)


def main():
    emulator, program, signature = sys.argv[1], sys.argv[2], int(sys.argv[3], 0)
    elf = Elf(program)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "debugger")
        child = subprocess.Popen([emulator, "-g", path, program, *sys.argv[4:]],
                                 stdin=subprocess.DEVNULL)
        try:
            kernel = Kernel(Debugger(path, elf), elf, signature)
            status = kernel.run()
            child.wait(20)
        finally:
            child.kill()
    print("%d sequences, %d of them entered, aborted %d times" %
          (len(kernel.sequences), len(kernel.seen), kernel.aborts))
    return status or not kernel.aborts


if __name__ == "__main__":
    sys.exit(main())
