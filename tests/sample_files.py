"""Image files that Pillow cannot write, made by hand, and pictures to put into them."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def deep_samples(height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray:
    """Smooth samples that need all of their 16 bits, with an edge."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [30000 + 9000 * np.sin(rows / (4 + c)) * np.cos(columns / (5 + c)) + 37 * columns for c in range(channels)]
    samples = np.stack(planes, axis=2)
    samples[height // 4 : height // 2, width // 4 : width // 2] += 12345
    return samples.astype(np.uint16)


def deep_png(samples: np.ndarray, *, key: tuple[int, ...] = (), interlaced: bool = False) -> bytes:
    """A PNG of 16 bits with every filter, from ``(H, W, C)``; ``key`` is a transparent colour."""
    height, width, channels = samples.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = [samples[top::down, left::across] for left, top, across, down in passes]
    data = b"".join(_filtered(part) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, int(interlaced))
    transparent = _chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)) if key else b""
    body = transparent + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + body


def _filtered(samples: np.ndarray) -> bytes:
    height, width, channels = samples.shape
    step = 2 * channels
    rows = np.ascontiguousarray(samples.astype(">u2")).view(np.uint8).reshape(height, width * step).astype(int)
    above, made = np.zeros(width * step, int), b""
    for number, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, int), row[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        estimate = left + above - corner
        distances = np.abs(np.stack([left, above, corner]) - estimate)
        paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
        guesses = [np.zeros_like(row), left, above, (left + above) // 2, paeth]
        kind = number % 5
        made += bytes([kind]) + ((row - guesses[kind]) % 256).astype(np.uint8).tobytes()
        above = row
    return made


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def cmyk_profile() -> bytes:
    """A colour profile of inks in which cyan is a red, so that its use shows: (100, 0, 0, 0) is Lab (50, 60, 30)."""
    corners = np.zeros((2, 2, 2, 2, 3))
    for ink in np.ndindex(2, 2, 2, 2):
        cyan, others = ink[0], sum(ink[1:])
        corners[ink] = (100 - 50 * cyan - 16 * others, 60 * cyan, 30 * cyan)
    encoded = np.rint(corners.reshape(-1, 3) * (2.55, 1, 1) + (0, 128, 128)).astype(np.uint8)
    line = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * int(number in (0, 4, 8)) for number in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * line + encoded.tobytes() + 3 * line
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    words = b"text" + bytes(4) + b"none\0"
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)
    tags = {b"desc": name, b"cprt": words, b"wtpt": white, b"A2B0": table}
    start, directory, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        directory += struct.pack(">4sII", tag, start + len(body), len(content))
        body += padded
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + directory + body


def photo_pixels(height: int = 24, width: int = 32) -> np.ndarray:
    """Smooth colours, uint8 ``(H, W, 3)``, with an edge."""
    return (deep_samples(height, width) >> 8).astype(np.uint8)
