#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Take files out of a large .tar.xz, and decompress only the blocks that hold them.

unpack.py ARCHIVE LIST: the files that LIST names, without their first folder, into this one.

xz makes blocks that can be decompressed by themselves, and says at the end where each is.  In archives
of sources files are in the order of their names.  Where that is not so a file is not found, and the
status is 1.
"""
import bisect
import functools
import io
import lzma
import os
import struct
import sys
import tarfile

STREAM_HEADER = STREAM_FOOTER = 12
RECORD = 512  # of an archive


def read_number(data, at):
    """A number of 7 bits in each byte, the lowest first; and where the next thing is."""
    number = shift = 0
    while data[at] & 0x80:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
    return number | data[at] << shift, at + 1


class Archive(io.RawIOBase):
    """What is compressed, as a file."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.header = self.file.read(STREAM_HEADER)
        self.file.seek(-STREAM_FOOTER, os.SEEK_END)
        size, = struct.unpack("<4xI4x", self.file.read(STREAM_FOOTER))
        self.file.seek(-STREAM_FOOTER - 4 * (size + 1), os.SEEK_END)
        index = self.file.read(4 * (size + 1))
        count, at = read_number(index, 1)
        self.places, self.starts = [STREAM_HEADER], [0]
        for _ in range(count):
            size, at = read_number(index, at)
            self.places.append(self.places[-1] + (size + 3) // 4 * 4)
            size, at = read_number(index, at)
            self.starts.append(self.starts[-1] + size)
        self.at = 0

    def decompressor(self, number):
        self.file.seek(self.places[number])
        data = self.file.read(self.places[number + 1] - self.places[number])
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        decompressor.decompress(self.header, 0)
        return decompressor, data

    @functools.lru_cache(maxsize=2)
    def block(self, number):
        decompressor, data = self.decompressor(number)
        return decompressor.decompress(data)

    @functools.cache
    def first(self, number):
        """Name and place of the first file that begins in a block; a name behind all others if none does."""
        decompressor, data = self.decompressor(number)
        start = -self.starts[number] % RECORD
        found = b""
        while start + len(found) < self.starts[number + 1] - self.starts[number]:
            found += decompressor.decompress(data, 1 << 20)
            data = b""
            for at in range(start, len(found) - RECORD + 1, RECORD):
                if found[at + 257:at + 262] != b"ustar":
                    continue
                try:
                    info = tarfile.TarInfo.frombuf(found[at:at + RECORD], "utf-8", "replace")
                except tarfile.HeaderError:
                    continue
                if info.isreg():
                    return info.name, self.starts[number] + at
        return "\U0010ffff", None

    def read(self, size=-1):
        number = bisect.bisect_right(self.starts, self.at) - 1
        if number == len(self.starts) - 1:
            return b""
        begin = self.at - self.starts[number]
        data = self.block(number)[begin:begin + size]
        self.at += len(data)
        return data if len(data) == size or not data else data + self.read(size - len(data))

    def seek(self, offset, whence=os.SEEK_SET):
        self.at = offset + (self.at if whence == os.SEEK_CUR else 0)
        return self.at

    def tell(self):
        return self.at


def main():
    path, names = sys.argv[1:]
    archive = Archive(path)
    wanted = sorted(open(names).read().split())
    while wanted:
        number = bisect.bisect_right(range(len(archive.places) - 1), wanted[0],
                                     key=lambda block: archive.first(block)[0]) - 1
        archive.seek(archive.first(max(number, 0))[1])
        for info in tarfile.open(fileobj=archive, mode="r:"):
            if info.isreg() and info.name > wanted[0]:
                sys.exit(f"{wanted[0]}: not found")
            if info.name != wanted[0]:
                continue
            file = info.name.split("/", 1)[1]
            os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
            archive.seek(info.offset_data)
            with open(file, "wb") as out:
                out.write(archive.read(info.size))
            archive.seek(info.offset_data + info.size)
            wanted.pop(0)
            # Those of another block are looked for anew.
            if not wanted or archive.first(number + 1)[0] <= wanted[0]:
                break
        else:
            sys.exit(f"{wanted[0]}: not found")


main()
