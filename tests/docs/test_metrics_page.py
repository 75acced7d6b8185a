"""The page of perceptual measures names every measure, every file and the right direction."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.evaluate.perceptual import MEASURES, Measure

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_the_page_says_what_the_list_says(measure: Measure) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{measure.name}` |"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[1] == ("higher" if measure.is_higher_better else "lower")
    assert cells[2] == f"{measure.lowest:g}.." + ("" if measure.highest is None else f"{measure.highest:g}")
    assert cells[3] == ("yes" if measure.needs_truth else "no")
    for needed in measure.files:
        assert needed.names[0] in PAGE
        for name in needed.names[1:]:
            assert name in PAGE or f"`{Path(name).suffix}`" in PAGE
