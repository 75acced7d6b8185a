"""The page on bad files says numbers and names of tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from pocketsr.graph.tflite import MOST_NUMBERS_A_PIXEL
from pocketsr.image import DEFAULT_MAX_PIXELS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "safety.md").read_text(encoding="utf-8")


def test_the_limits_are_those_of_the_code() -> None:
    assert f"more than {DEFAULT_MAX_PIXELS:,} pixels" in PAGE
    assert f"ask for {MOST_NUMBERS_A_PIXEL:,} numbers" in PAGE


def test_the_tests_that_are_named_exist() -> None:
    named = re.findall(r"`(?:tests/\w+/)?(test_\w+\.py)`", PAGE)
    assert len(named) == 5
    assert all(list((ROOT / "tests").rglob(name)) for name in named)
