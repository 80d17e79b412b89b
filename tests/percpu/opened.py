# SPDX-License-Identifier: LGPL-2.1-or-later
#
# libpercpu as a foreign process meets it: opened late, by ctypes, when there are threads already.
# Allocates, reaches the copies by what struct pcpu_layout says, uses operations in old and new
# threads, frees. The argument is the path of the library.

import ctypes
import os
import sys
import threading
from ctypes import POINTER, c_char, c_char_p, c_int, c_long, c_size_t, c_uint, c_uint64, c_void_p

THREADS, TIMES = 16, 2000
PCPU_READ, PCPU_ADD = 0, 2


class Layout(ctypes.Structure):
    _fields_ = [
        ("rseq", c_void_p),
        ("offset", POINTER(c_size_t)),
        ("possible", POINTER(c_uint64)),
        ("cpu_ids", c_uint),
        ("num_possible", c_uint),
    ]


def work():
    """An operation again and again; ctypes has no inline code, so by the library's function."""
    started.wait()
    loaded.wait()
    for _ in range(TIMES):
        percpu.pcpu_slow_operation(PCPU_ADD * 16 + 8, counter, 3, 0)


def possible_cpus():
    return [
        cpu
        for cpu in range(layout.cpu_ids)
        if layout.possible[cpu // 64] >> cpu % 64 & 1
    ]


def copy(cookie, cpu):
    return c_long.from_address((cookie + layout.offset[cpu]) % 2 ** (8 * ctypes.sizeof(c_size_t)))


# Threads that are older than the library.
started, loaded = threading.Barrier(THREADS + 1), threading.Event()
threads = [threading.Thread(target=work) for _ in range(THREADS)]
for thread in threads:
    thread.start()
started.wait()

percpu = ctypes.CDLL(sys.argv[1])
percpu.__alloc_percpu = getattr(percpu, "__alloc_percpu")
percpu.__alloc_percpu.restype = c_size_t
percpu.__alloc_percpu.argtypes = [c_size_t, c_size_t]
percpu.free_percpu.argtypes = [c_size_t]
percpu.pcpu_slow_operation.argtypes = [c_uint, c_size_t, c_uint64, c_uint64]
percpu.pcpu_slow_operation.restype = c_uint64
percpu.pcpu_classify.argtypes = [c_size_t, POINTER(c_int), POINTER(c_size_t)]
percpu.pcpu_ops_name.restype = c_char_p
layout = Layout.in_dll(percpu, "pcpu_layout")

# CPU numbers as the system tells them.
if os.path.exists("/sys/devices/system/cpu/possible"):
    with open("/sys/devices/system/cpu/possible") as file:
        ranges = [part.split("-") for part in file.read().split(",")]
    expected = [cpu for r in ranges for cpu in range(int(r[0]), int(r[-1]) + 1)]
    assert possible_cpus() == expected, (possible_cpus(), expected)
assert layout.num_possible == len(possible_cpus())

# Memory: zero, each copy its own.
cookies = [percpu.__alloc_percpu(size, 8) for size in (8, 100, 5000, 1 << 20)]
assert all(cookies) and len(set(cookies)) == len(cookies)
for cpu in possible_cpus():
    for n, cookie in enumerate(cookies):
        assert copy(cookie, cpu).value == 0
        copy(cookie, cpu).value = 1000 * cpu + n
for cpu in possible_cpus():
    for n, cookie in enumerate(cookies):
        on, back = c_int(-5), c_size_t()
        assert copy(cookie, cpu).value == 1000 * cpu + n
        address = ctypes.addressof(copy(cookie, cpu))
        kind = percpu.pcpu_classify(address, ctypes.byref(on), ctypes.byref(back))
        assert (kind, on.value, back.value) == (3, cpu, cookie)
for cookie in cookies:
    percpu.free_percpu(cookie)

# Operations of threads that are older, and of some that are younger.
counter = percpu.__alloc_percpu(8, 8)
assert all(copy(counter, cpu).value == 0 for cpu in possible_cpus())
loaded.set()
for thread in threads:
    thread.join()
started, young = threading.Barrier(4), [threading.Thread(target=work) for _ in range(4)]
for thread in young:
    thread.start()
for thread in young:
    thread.join()
total = sum(copy(counter, cpu).value for cpu in possible_cpus())
assert total == (THREADS + 4) * TIMES * 3, total
percpu.free_percpu(counter)
assert percpu.pcpu_ops_name() == (os.environ.get("PERCPU_OPS", "rseq")).encode() or (
    "PERCPU_OPS" not in os.environ
)
