"""Picture files, as far as the client looks into them: their size, and Windows bitmaps, which the rack does not read."""

from __future__ import absolute_import

import os
import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES_OF_JPEG = frozenset(range(0xC0, 0xD0)) - frozenset((0xC4, 0xC8, 0xCC))
_MOST_PIXELS = 1 << 26


def size(path):
    """`[width, height]` of a PNG, JPEG or BMP file; `None` for any other. Raises `IOError`."""
    with open(path, "rb") as source:
        head = source.read(32)
        if head.startswith(_PNG) and len(head) >= 24:
            return list(struct.unpack(">II", head[16:24]))
        if head.startswith(b"BM") and len(head) >= 26:
            width, height = struct.unpack("<ii", head[18:26])
            return [abs(width), abs(height)]
        if head.startswith(b"\xff\xd8"):
            return _size_of_jpeg(source)
    return None


def _size_of_jpeg(source):
    source.seek(2)
    while True:
        mark = source.read(2)
        while len(mark) == 2 and mark[1:] == b"\xff":
            mark = mark[1:] + source.read(1)
        if len(mark) < 2 or mark[:1] != b"\xff":
            return None
        kind = bytearray(mark)[1]
        head = source.read(7)
        if len(head) < 7:
            return None
        length = struct.unpack(">H", head[:2])[0]
        if kind in _SIZES_OF_JPEG:
            height, width = struct.unpack(">HH", head[3:7])
            return [width, height]
        source.seek(length - 7, os.SEEK_CUR)


def is_bitmap(path):
    """It is a Windows bitmap."""
    with open(path, "rb") as source:
        return source.read(2) == b"BM"


def bitmap_to_png(path, target):
    """Write the Windows bitmap at `path` as PNG to `target`. Raises `ValueError` for kinds that are not known."""
    with open(path, "rb") as source:
        data = source.read()
    try:
        width, height, rows = _rows_of_bitmap(data)
    except struct.error:
        raise ValueError("the bitmap %s is cut short" % path)
    except ValueError as error:
        raise ValueError("cannot read the bitmap %s: %s; save it as PNG" % (path, error))
    with open(target, "wb") as out:
        out.write(_PNG)
        _chunk(out, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        _chunk(out, b"IDAT", zlib.compress(b"".join(rows), 1))
        _chunk(out, b"IEND", b"")


def _chunk(out, kind, data):
    out.write(struct.pack(">I", len(data)) + kind + data)
    out.write(struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF))


def _rows_of_bitmap(data):
    start, header, width, height, _, bits, packed = struct.unpack("<IIiiHHI", data[10:34])
    lines = abs(height)
    if not 0 < width or not 0 < width * lines <= _MOST_PIXELS:
        raise ValueError("its size is %d x %d" % (width, lines))
    if bits not in (8, 24, 32) or packed not in (0, 3 if bits == 32 else 0):
        raise ValueError("%d bits a pixel, compression %d" % (bits, packed))
    stride = (width * bits // 8 + 3) // 4 * 4
    if len(data) < start + stride * lines:
        raise ValueError("it is cut short")
    tables = _palette(data[14 + header : start]) if bits == 8 else None
    rows = []
    for line in range(lines):
        # A positive height means that the lowest line comes first.
        at = start + stride * (lines - 1 - line if height > 0 else line)
        rows.append(_row(data[at : at + width * bits // 8], width, bits, tables))
    return width, lines, rows


def _palette(entries):
    blank = b"\0" * (1024 - min(len(entries), 1024))
    entries = entries[:1024] + blank
    return [entries[channel::4] for channel in (2, 1, 0)]


def _row(pixels, width, bits, tables):
    out = bytearray(1 + 3 * width)
    for channel in range(3):
        if tables:
            out[1 + channel :: 3] = pixels.translate(tables[channel])
        else:
            out[1 + channel :: 3] = pixels[2 - channel :: bits // 8]
    return bytes(out)
