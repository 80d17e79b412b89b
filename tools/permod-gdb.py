# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For gdb: per-CPU variables of modules, programs and shared objects.
#
#     (gdb) source permod-gdb.py
#     (gdb) print $per_cpu(hits, 0)           the variable of CPU 0
#     (gdb) print $per_cpu_ptr(pointer, 1)    where a per-CPU pointer points to on CPU 1
#     (gdb) print $per_cpu_sum(hits)          a number's sum over all CPUs
#
# gdb knows such a variable by the address that code names. In a module that is its cookie, to which
# the offset of a CPU is added; in a program or shared object first the image's displacement is.

import gdb


def read(address, type_name="unsigned long"):
    kind = gdb.lookup_type(type_name)
    return int(gdb.Value(address).cast(kind.pointer()).dereference())


def layout():
    """The address of struct pcpu_layout; its fields are read by their places, as libraries seldom
    come with debug information."""
    return int(gdb.parse_and_eval("(unsigned long)&pcpu_layout"))


def word_size():
    return gdb.lookup_type("unsigned long").sizeof


def offset_of(cpu):
    table, words = layout(), word_size()
    count = read(table + 3 * words, "unsigned int")
    possible = 0 <= cpu < count and read(
        read(table + 2 * words) + cpu // 64 * 8, "unsigned long long") >> cpu % 64 & 1
    if not possible:
        raise gdb.GdbError("CPU %d is not possible here (CPU numbers are below %d)" % (cpu, count))
    return read(read(table + words) + cpu * words)


def cookie_of(address):
    for objfile in gdb.objfiles():
        symbol = objfile.lookup_global_symbol("__pcpu_image")
        if symbol is None:
            continue
        image = symbol.value()
        if int(image["begin"]) <= address < int(image["end"]):
            return address + int(image["displacement"])
    return address


def at(kind, cookie, cpu):
    mask = (1 << 8 * word_size()) - 1
    address = (cookie + offset_of(cpu)) & mask
    return gdb.Value(address).cast(kind.pointer())


def variable(value):
    if value.address is None:
        raise gdb.GdbError("not a variable; for a per-CPU pointer there is $per_cpu_ptr()")
    return value.type, cookie_of(int(value.address))


class PerCpu(gdb.Function):
    """$per_cpu(VARIABLE, CPU): the per-CPU variable of this CPU."""

    def __init__(self):
        super().__init__("per_cpu")

    def invoke(self, value, cpu):
        kind, cookie = variable(value)
        return at(kind, cookie, int(cpu)).dereference()


class PerCpuPtr(gdb.Function):
    """$per_cpu_ptr(POINTER, CPU): what a per-CPU pointer stands for on this CPU, as a pointer."""

    def __init__(self):
        super().__init__("per_cpu_ptr")

    def invoke(self, pointer, cpu):
        return at(pointer.type.strip_typedefs().target(), cookie_of(int(pointer)), int(cpu))


class PerCpuSum(gdb.Function):
    """$per_cpu_sum(VARIABLE): the sum of a number over all CPUs."""

    def __init__(self):
        super().__init__("per_cpu_sum")

    def invoke(self, value):
        kind, cookie = variable(value)
        table, words = layout(), word_size()
        total = 0
        for cpu in range(read(table + 3 * words, "unsigned int")):
            if read(read(table + 2 * words) + cpu // 64 * 8, "unsigned long long") >> cpu % 64 & 1:
                total += int(at(kind, cookie, cpu).dereference())
        return total


PerCpu()
PerCpuPtr()
PerCpuSum()
