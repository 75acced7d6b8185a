"""Challenge scores: quality and speed in one number, by the organisers' formulas.

    Mobile AI 2021, Mobile AI & AIM 2022    2^(2·PSNR) / (C · ms)              C = 2⁴⁸, 10 · 2⁴⁸
    NTIRE 2023 real-time                    2 · 2^(PSNR − bicubic) / (0.1 · √ms), 0 where PSNR ≤ bicubic

One dB is worth a factor of 4 in runtime in both. Scores of two tracks are not comparable, nor are runtimes of two
devices. Knows nothing of how PSNR or runtime were measured: a number of another device has no place in a ranking.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.evaluate.official import find_table

#: No 8-bit output that differs from its ground truth comes near: one level in one of 10⁸ values is 128 dB.
_HIGHEST_PSNR_DB = 128.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Track:
    """One challenge and how it counts.

    Attributes:
        name: Name to ask for.
        title: What it was.
        scale: Factor.
        height: Of the input that is timed, pixels.
        width: Of the input that is timed, pixels.
        terms: How PSNR and runtime were taken; others do not compare.
        form: ``power`` or ``over bicubic``, the two formulas above.
        constant: C of ``power``; the factor 0.1 of ``over bicubic``.
        bicubic_psnr_db: PSNR of bicubic in dB that ``over bicubic`` starts at; None otherwise.
        table: Official table with the track's rows.
        source: Where the formula is from, and what was recovered by arithmetic.
    """

    name: str
    title: str
    scale: int
    height: int
    width: int
    terms: str
    form: Literal["power", "over bicubic"]
    constant: float
    table: str
    source: str
    bicubic_psnr_db: float | None = None

    def score(self, psnr_db: float, runtime_ms: float) -> float:
        """Return the score; higher is better, 0 the worst.

        Args:
            psnr_db: In dB, under the track's terms.
            runtime_ms: For one image, in milliseconds, on the track's device.

        Raises:
            SettingError: PSNR is not in 0..128 dB (infinite is that of equal images), or runtime not above 0.

        >>> round(find_track("mai21").score(29.87, 36.89), 1)   # ABPN table 4: 92.72
        92.7
        >>> round(find_track("aim22").score(30.03, 19.20), 1)   # SCSRN table 6: 22.22
        22.2
        >>> round(find_track("ntire23-x3").score(30.15, 4.75), 2)   # LRSRN table 3: 20.36
        20.36
        >>> find_track("ntire23-x2").score(31.5, 1.0)   # below bicubic
        0.0
        """
        _check_psnr(psnr_db)
        _check_positive(runtime_ms, "runtime", "milliseconds")
        if self.bicubic_psnr_db is None:
            return float(2 ** (2 * psnr_db - math.log2(self.constant) - math.log2(runtime_ms)))
        gain_db = psnr_db - self.bicubic_psnr_db
        return 2 * 2**gain_db / (self.constant * math.sqrt(runtime_ms)) if gain_db > 0 else 0.0

    def required_psnr(self, score: float, runtime_ms: float) -> float:
        """Return the PSNR in dB that gives a score at a runtime.

        Where bicubic counts, a score that the smallest gain exceeds is reached just above bicubic: that is returned.

        Args:
            score: Above 0.
            runtime_ms: In milliseconds, above 0.

        Raises:
            SettingError: One of them is not above 0.

        >>> round(find_track("mai21").required_psnr(92.72, 36.89), 2)
        29.87
        >>> find_track("ntire23-x3").required_psnr(1.0, 4.0)
        29.0
        """
        _check_positive(score, "score", "a number")
        _check_positive(runtime_ms, "runtime", "milliseconds")
        if self.bicubic_psnr_db is None:
            return (math.log2(score) + math.log2(self.constant) + math.log2(runtime_ms)) / 2
        return self.bicubic_psnr_db + max(0.0, math.log2(score * self.constant * math.sqrt(runtime_ms) / 2))

    def required_runtime(self, score: float, psnr_db: float) -> float:
        """Return the runtime in milliseconds, at most which gives a score at a PSNR.

        Args:
            score: Above 0.
            psnr_db: In dB.

        Raises:
            SettingError: The score is not above 0, PSNR out of range, or not above bicubic where that counts.

        >>> round(find_track("aim22").required_runtime(22.22, 30.03), 1)
        19.2
        """
        _check_positive(score, "score", "a number")
        at_one_ms = self.score(psnr_db, 1.0)
        if not at_one_ms:
            raise SettingError(
                f"{self.name} gives 0 at and below {self.bicubic_psnr_db:g} dB, bicubic's PSNR; "
                f"{psnr_db:g} dB reaches no score at any runtime"
            )
        ratio = at_one_ms / score
        return ratio if self.bicubic_psnr_db is None else ratio**2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standing:
    """One row of a ranking.

    Attributes:
        name: Of the entry.
        psnr_db: In dB; recovered where the printed one is an error.
        runtime_ms: In milliseconds.
        score: By the track's formula.
        printed: The score as printed; None for a row that is not official.
        suspect: Why a number of the row is to be doubted; empty where none is.
    """

    name: str
    psnr_db: float
    runtime_ms: float
    score: float
    printed: float | None = None
    suspect: str = ""


_NTIRE_TERMS = "PSNR in RGB, no border; GPU, half precision, one image, 4K out, 50 runs to warm up, mean of 244"

#: Every track.
TRACKS: tuple[Track, ...] = (
    Track(
        name="mai21",
        title="Mobile AI 2021, real-time int8 super-resolution",
        scale=3,
        height=360,
        width=640,
        terms="int8 on a Synaptics VS680's NPU, 360×640 to 1080×1920",
        form="power",
        constant=2.0**48,
        table="abpn-table4",
        source="constant recovered from the five rows of ABPN's Table 4, within 0.05 %",
    ),
    Track(
        name="aim22",
        title="Mobile AI & AIM 2022, real-time int8 super-resolution",
        scale=3,
        height=360,
        width=640,
        terms="int8 on a Synaptics VS680's NPU, 360×640 to 1080×1920",
        form="power",
        constant=10 * 2.0**48,
        table="scsrn-table6",
        source="constant recovered from the five rows of SCSRN's Table 6, within 0.3 %; its eq. 13 lacks the 2",
    ),
    Track(
        name="ntire23-x2",
        title="NTIRE 2023 real-time super-resolution, validation",
        scale=2,
        height=1080,
        width=1920,
        terms=_NTIRE_TERMS,
        form="over bicubic",
        constant=0.1,
        bicubic_psnr_db=31.697655,
        table="lrsrn-table3",
        source="the organisers' notebook; LRSRN's eq. 6 lacks the leading 2, and its tables take 31.69 dB for bicubic",
    ),
    Track(
        name="ntire23-x3",
        title="NTIRE 2023 real-time super-resolution, validation",
        scale=3,
        height=720,
        width=1280,
        terms=_NTIRE_TERMS,
        form="over bicubic",
        constant=0.1,
        bicubic_psnr_db=29.00,
        table="lrsrn-table3",
        source="the organisers' notebook; bicubic's 29.00 dB recovered from LRSRN's Table 3",
    ),
)


def find_track(name: str) -> Track:
    """Return the track of that name.

    Raises:
        UnknownNameError: There is none.
    """
    for track in TRACKS:
        if track.name == name:
            return track
    raise UnknownNameError.among("track", name, (track.name for track in TRACKS))


def standings(track: Track) -> tuple[Standing, ...]:
    """Return the official rows of a track, best first, all scored by its one formula.

    >>> [row.name for row in standings(find_track("mai21"))][:2]
    ['ABPN', 'deepernewbie']
    """
    rows: dict[str, dict[str, float]] = {}
    doubts: dict[str, list[str]] = {}
    for cell in find_table(track.table).select(scale=track.scale, quantity=["psnr_db", "runtime_ms", "score"]):
        rows.setdefault(cell.row, {})[cell.measure.quantity] = cell.value
        doubts.setdefault(cell.row, []).extend([cell.suspect] if cell.suspect else [])
    made = (
        Standing(
            name=name,
            psnr_db=row["psnr_db"],
            runtime_ms=row["runtime_ms"],
            score=track.score(row["psnr_db"], row["runtime_ms"]),
            printed=row["score"],
            suspect="; ".join(doubts[name]),
        )
        for name, row in rows.items()
    )
    return tuple(sorted(made, key=lambda row: -row.score))


def pareto_front(rows: Sequence[Standing]) -> tuple[Standing, ...]:
    """Return the rows that no other beats in both PSNR and runtime, fastest first.

    >>> [row.name for row in pareto_front(standings(find_track("mai21")))]
    ['ABPN']
    """
    front: list[Standing] = []
    for row in sorted(rows, key=lambda row: (row.runtime_ms, -row.psnr_db)):
        if not front or row.psnr_db > front[-1].psnr_db:
            front.append(row)
    return tuple(front)


def _check_psnr(psnr_db: float) -> None:
    if not 0 <= psnr_db <= _HIGHEST_PSNR_DB:  # false for NaN as well
        raise SettingError(
            f"a PSNR of 0 to {_HIGHEST_PSNR_DB:g} dB is needed, not {psnr_db:g}; equal images, which have an infinite "
            "one, mean that ground truth was judged"
        )


def _check_positive(value: float, name: str, unit: str) -> None:
    if not 0 < value < math.inf:
        raise SettingError(f"the {name} must be {unit} above 0, not {value:g}")
