from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pocketsr.errors import SettingError
from pocketsr.runtime.tiling import WINDOW_PIXELS, Budget, choose_window, spans, tile_grid

_AXES = st.integers(1, 400), st.integers(1, 90), st.integers(0, 20), st.integers(1, 5)


@settings(deadline=None, max_examples=300)
@given(*_AXES)
def test_spans_cover_an_axis_with_windows_of_one_size_that_keep_their_distance_from_cuts(
    length: int, extra: int, reach: int, multiple: int
) -> None:
    length *= multiple
    window = (2 * -(-reach // multiple) + extra) * multiple
    made = spans(length, window, reach, multiple=multiple)
    assert [span.keep_start for span in made] == [0, *(span.keep_stop for span in made[:-1])]
    assert made[-1].keep_stop == length
    assert {span.stop - span.start for span in made} == {made[0].stop - made[0].start}
    for span in made:
        assert 0 <= span.start <= span.keep_start < span.keep_stop <= span.stop <= length
        assert span.stop - span.start <= window
        assert span.start % multiple == span.stop % multiple == 0
        assert span.start == 0 or span.keep_start - span.start >= reach
        assert span.stop == length or span.stop - span.keep_stop >= reach


@settings(deadline=None, max_examples=100)
@given(*_AXES[:3])
def test_no_smaller_number_of_windows_would_do(length: int, extra: int, reach: int) -> None:
    window = 2 * reach + extra
    count = len(spans(length, window, reach))
    # k windows keep at most k · (w − 2r) pixels, and r more at either end of the image.
    assert count == 1 or (count - 1) * (window - 2 * reach) + 2 * reach < length


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000))
def test_layers_that_pad_with_zeros_give_the_whole_axis_from_windows(
    length: int, layers: int, extra: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    signal, kernels = random.integers(-9, 10, length), random.integers(-3, 4, (layers, 3))

    def network(values: np.ndarray) -> np.ndarray:
        for kernel in kernels:
            padded = np.pad(np.maximum(values + 1, 0), 1)
            values = padded[:-2] * kernel[0] + padded[1:-1] * kernel[1] + padded[2:] * kernel[2]
        return values

    parts = [
        network(signal[span.start : span.stop])[span.keep_start - span.start : span.keep_stop - span.start]
        for span in spans(length, 2 * layers + extra, layers)
    ]
    assert np.concatenate(parts).tolist() == network(signal).tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, 8, 1), "0 pixels"), ((20, 2, 1), "3 pixels or more"), ((20, 8, -1), "reach -1")],
)
def test_an_axis_that_cannot_be_tiled_is_refused_with_a_reason(arguments: tuple[int, int, int], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        spans(*arguments)


def test_a_length_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(SettingError, match="multiples of 4"):
        spans(10, 8, 1, multiple=4)


def test_a_frame_of_640_by_360_is_one_tile() -> None:
    assert tile_grid(360, 640, 7).window == (360, 640)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(0, 300), st.integers(1, 40))
def test_a_chosen_window_suits_the_image_and_the_budget(height: int, width: int, reach: int, multiple: int) -> None:
    height, width = height - height % multiple + multiple, width - width % multiple + multiple
    grid = tile_grid(height, width, reach, multiple=multiple)
    window_height, window_width = grid.window
    assert window_height * window_width <= max(WINDOW_PIXELS, (4 * (reach + multiple)) ** 2)
    assert window_height <= height
    assert window_width <= width


@pytest.mark.parametrize(("height", "width"), [(3000, 4000), (1, 100_000), (5000, 3), (2160, 3840), (540, 960)])
def test_a_chosen_window_computes_little_twice(height: int, width: int) -> None:
    grid = tile_grid(height, width, 7)
    # Overlap of 14 on windows of about 500 is 3 % a side; an image just beyond a window costs some more.
    assert len(grid) * grid.window[0] * grid.window[1] <= 1.12 * height * width


def test_a_network_that_looks_far_keeps_half_of_a_window() -> None:
    height, width = choose_window(9000, 9000, 400)
    assert (height, width) == (1600, 1600)


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 20), st.integers(1, 4), st.integers(1, 400))
@example(height=1, width=1815, reach=1, multiple=4, megabytes=1)  # as high as the square would be, and wider
def test_windows_keep_to_a_budget_or_are_refused(
    height: int, width: int, reach: int, multiple: int, megabytes: int
) -> None:
    height, width = height * multiple, width * multiple
    budget = Budget(most_bytes=megabytes * 1e6, window_bytes=800, strip_bytes=27)
    least = (2 * -(-reach // multiple) + 1) * multiple
    low, narrow = min(least, height), min(least, width)
    if low * (narrow * 800 + width * 27) > budget.most_bytes:
        with pytest.raises(SettingError, match="allow more memory"):
            tile_grid(height, width, reach, multiple=multiple, budget=budget)
        return
    grid = tile_grid(height, width, reach, multiple=multiple, budget=budget)
    rows, columns = grid.window
    assert rows * (columns * 800 + width * 27) <= budget.most_bytes
    assert rows * columns <= max(WINDOW_PIXELS, (4 * (reach + multiple)) ** 2)


def test_a_budget_that_is_large_enough_changes_nothing() -> None:
    budget = Budget(most_bytes=1e9, window_bytes=800, strip_bytes=27)
    assert tile_grid(3000, 4000, 7, budget=budget) == tile_grid(3000, 4000, 7)
