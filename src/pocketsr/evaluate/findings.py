"""What a verification finds: bounds, checks with figure and advice, and how each photograph compares.

Values only; knows nothing of how they are found.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from pocketsr.errors import SettingError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much worse an artefact may be than its reference.

    Attributes:
        drop_db: Mean PSNR lost, dB.
        worst_db: PSNR lost on any one image, dB.
        pixels: Levels within which 99.9 % of all values agree.
        shift: Mean shift of any colour over all images, levels of 255.
        ends: Levels that black and white may be off beyond the reference's.
        banding: Height that steps on a ramp may have beyond the reference's, levels. One of eight bits lost makes 1.
        grid: Levels that the pixels of a cell may lie apart on a ramp beyond the reference's.
    """

    drop_db: float = 0.1
    worst_db: float = 0.5
    pixels: float = 12.0
    shift: float = 0.25
    ends: float = 1.0
    banding: float = 0.9
    grid: float = 1.5

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value >= 0:
                raise SettingError(f"bound {name} must be 0 or more, not {value}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Word for it.
        figure: What was found; the smaller the better.
        bound: What is allowed.
        unit: Of both.
        words: What was found, in words.
        advice: What to do where it fails.
        measures: What the figure was made from.
    """

    name: str
    figure: float
    bound: float
    unit: str
    words: str
    advice: str
    measures: Mapping[str, float | str] = dataclasses.field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the figure is within its bound; what is not a number is not."""
        return self.figure <= self.bound


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Artefact and reference on one photograph.

    Attributes:
        name: Its name.
        artefact_db: PSNR of the artefact against the truth, RGB, no border, dB.
        reference_db: The reference's.
        shift: Mean of artefact less reference in red, green and blue, levels.
        largest: Largest difference of a value between the two, levels.
    """

    name: str
    artefact_db: float
    reference_db: float
    shift: tuple[float, ...]
    largest: int

    @property
    def drop_db(self) -> float:
        """PSNR lost, dB; 0 where both are perfect."""
        return 0.0 if self.artefact_db == self.reference_db else self.reference_db - self.artefact_db


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found.

    Attributes:
        checks: Everything that was looked at.
        images: Every photograph.
    """

    checks: tuple[Check, ...]
    images: tuple[Compared, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, which has no infinity: ``None`` stands for it, and for what is no number."""
        checks = [{**dataclasses.asdict(check), "passed": check.passed} for check in self.checks]
        images = [{**dataclasses.asdict(image), "drop_db": image.drop_db} for image in self.images]
        plain: dict[str, Any] = _plain({"passed": self.passed, "checks": checks, "images": images})
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
