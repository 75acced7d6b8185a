import numpy as np
import pytest
from scipy.ndimage import correlate

from pocketsr.evaluate.windows import filter_inside, gaussian


def test_a_gaussian_is_symmetric_and_sums_to_one() -> None:
    window = gaussian(3, 7 / 6)
    assert window.sum() == pytest.approx(1, abs=1e-15)
    assert window.tolist() == window[::-1].tolist()
    assert window[4] / window[3] == pytest.approx(np.exp(-0.5 * (6 / 7) ** 2), abs=1e-15)


@pytest.mark.parametrize("shape", [(7, 7), (30, 9), (12, 20, 3)])
def test_filtering_agrees_with_scipy(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    window = gaussian(3, 1.2)
    square = np.outer(window, window).reshape(7, 7, *[1] * (len(shape) - 2))
    assert filter_inside(x, window) == pytest.approx(
        correlate(x, square)[3 : shape[0] - 3, 3 : shape[1] - 3], abs=1e-13
    )
