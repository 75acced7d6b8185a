"""Files made bad, the same ones every time: a number chooses what is done to which bytes."""

from __future__ import annotations

import random

#: Numbers that stand where a length or an offset is thought to be.
_TELLING = (0, 1, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(data: bytes, seed: int) -> bytes:
    """Return a file that is like ``data`` and wrong somewhere."""
    dice = random.Random(seed)
    return dice.choice((_bits, _bits, _bytes, _truncated, _exchanged, _exchanged, _words, _words, _zeros, _doubled))(
        bytearray(data), dice
    )


def truncations(data: bytes) -> list[bytes]:
    """Return a file cut short at every 20th of its length."""
    return [data[: len(data) * part // 20] for part in range(20)]


def _bits(data: bytearray, dice: random.Random) -> bytes:
    for _ in range(dice.choice((1, 1, 3, 20))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


def _bytes(data: bytearray, dice: random.Random) -> bytes:
    for _ in range(dice.choice((1, 5, 50))):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data)


def _truncated(data: bytearray, dice: random.Random) -> bytes:
    return bytes(data[: dice.randrange(len(data))])


def _exchanged(data: bytearray, dice: random.Random) -> bytes:
    """Exchange words of four bytes: offsets that point elsewhere, but inside."""
    for _ in range(dice.choice((1, 2))):
        first, second = (dice.randrange(max(1, len(data) // 4)) * 4 for _ in range(2))
        data[first : first + 4], data[second : second + 4] = data[second : second + 4], data[first : first + 4]
    return bytes(data)


def _words(data: bytearray, dice: random.Random) -> bytes:
    """Put a number that means trouble where a length may be, in either order of bytes."""
    at, width = dice.randrange(max(1, len(data) - 4)), dice.choice((2, 4))
    value = dice.choice((*_TELLING, len(data))) % 2 ** (8 * width)
    data[at : at + width] = value.to_bytes(width, dice.choice(("little", "big")))
    return bytes(data)


def _zeros(data: bytearray, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(data)), dice.choice((4, 16, 64))
    data[at : at + length] = bytes(length)
    return bytes(data)


def _doubled(data: bytearray, dice: random.Random) -> bytes:
    """Repeat a piece: everything behind it lies elsewhere than announced."""
    at, length = dice.randrange(len(data)), dice.choice((1, 4, 100))
    return bytes(data[: at + length] + data[at:])
