from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.image import resize_bicubic, resize_strips


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 20),
    height=st.integers(1, 200),
    width=st.integers(1, 30),
    cuts=st.lists(st.integers(1, 89), max_size=5),
    deep=st.booleans(),
)
def test_strips_give_what_the_whole_gives(
    rows: int, columns: int, height: int, width: int, cuts: list[int], deep: bool
) -> None:
    dtype = np.uint16 if deep else np.uint8
    white = np.iinfo(dtype).max
    image = np.random.default_rng(rows).integers(0, white + 1, (rows, columns, 3)).astype(dtype)
    edges = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    strips = [image[start:stop] for start, stop in itertools.pairwise(edges)]
    made = np.concatenate(list(resize_strips(strips, rows_in=rows, height=height, width=width)))
    whole = np.clip(resize_bicubic(image.astype(np.float64), height, width), 0, white)
    assert made.dtype == dtype
    assert made.shape == (height, width, 3)
    assert np.abs(made - whole).max() <= (0.6 if deep else 0.51)  # half a step, and single precision


def test_grey_and_flat_stay_as_they_are() -> None:
    strips = [np.full((4, 9), 255, np.uint8)] * 3
    made = np.concatenate(list(resize_strips(strips, rows_in=12, height=7, width=5)))
    assert made.shape == (7, 5)
    assert (made == 255).all()
