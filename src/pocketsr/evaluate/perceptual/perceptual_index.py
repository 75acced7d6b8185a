"""The perceptual index of the PIRM 2018 challenge, and tables of Ma's score, which it needs.

Ma's score cannot be computed here: its model is three forests of regression trees, over features of a DCT, of wavelets
and of singular values of patches, and it was published as MATLAB code and MATLAB objects only. People who have run it
have a table.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from pocketsr.errors import DataError


def perceptual_index(niqe: float, ma: float) -> float:
    """Return the perceptual index; lower is better.

    Args:
        niqe: NIQE of an image, or a mean over images: the index of means is the mean of indices.
        ma: Ma's score of the same, 0..10, higher is better.

    Source:
        Blau et al., "The 2018 PIRM challenge on perceptual image super-resolution" (2018), eq. 1: ½·((10 − Ma) + NIQE),
        of luma without its four outermost pixels. PCARN's table 5 follows from its tables' NIQE and Ma by it.

    >>> perceptual_index(niqe=8.525, ma=4.865)  # SRCNN on Set5 in PCARN's table
    6.83
    """
    return 0.5 * ((10 - ma) + niqe)


def read_ma_table(path: Path) -> Mapping[str, float]:
    """Read a table of Ma's score.

    Args:
        path: Lines of ``file name,score``; a first line of words is passed over.

    Returns:
        Scores by file name as it is written there.

    Raises:
        DataError: The file is missing, a line is neither, or a score lies outside 0..10.
    """
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the table of Ma's score {path} cannot be read: {error}") from error
    scores = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            name, score = line[0].strip(), float(line[1])
        except (IndexError, ValueError) as error:
            if number == 1:
                continue
            raise DataError(f"{path}, line {number}: 'file name,score' is needed, not {','.join(line)!r}") from error
        if not (math.isfinite(score) and 0 <= score <= 10):
            raise DataError(f"{path}, line {number}: Ma's score is 0 to 10, not {score}")
        scores[name] = score
    if not scores:
        raise DataError(f"{path} has no line of 'file name,score'")
    return scores


def find_ma(table: Mapping[str, float], name: str) -> float:
    """Return the score of a file: by its name, or by its name without the ending where only that is in the table.

    Raises:
        DataError: The table does not have it.

    >>> find_ma({"baby": 7.9}, "baby.png")
    7.9
    """
    for key in (name, Path(name).name, Path(name).stem):
        if key in table:
            return table[key]
    raise DataError(f"the table of Ma's score has {len(table)} images, but not {name!r}")
