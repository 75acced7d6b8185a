import numpy as np
import pytest
from scipy.ndimage import correlate

from pocketsr.errors import SettingError
from pocketsr.evaluate.perceptual.ms_ssim import SMALLEST_SIDE, ms_ssim

#: float64 sums in another order.
AGREEMENT = 1e-10


def pair(shape: tuple[int, ...], noise: float = 20) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = np.cumsum(random.normal(0, 9, shape), axis=1) + 128
    return (np.clip(x, 0, 255).astype(np.uint8) for x in (truth + random.normal(0, noise, shape), truth))


def by_the_book(x: np.ndarray, y: np.ndarray) -> float:
    """The authors' steps one by one: full two-dimensional windows, filtered everywhere, then cut and thinned out."""
    rows, columns = np.mgrid[-5:6, -5:6]
    window = np.exp(-(rows**2 + columns**2) / (2 * 1.5**2))
    window /= window.sum()
    x, y, value = x.astype(float), y.astype(float), 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        ex, ey, exx, eyy, exy = (correlate(z, window)[5:-5, 5:-5] for z in (x, y, x * x, y * y, x * y))
        sxx, syy, sxy = exx - ex**2, eyy - ey**2, exy - ex * ey
        term = (2 * sxy + 58.5225) / (sxx + syy + 58.5225)
        if scale == 4:
            term = term * (2 * ex * ey + 6.5025) / (ex**2 + ey**2 + 6.5025)
        value *= term.mean() ** weight
        # origin -1: a window of two looks at a pixel and the one after it, mirrored at the end.
        x, y = (correlate(z, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2] for z in (x, y))
    return value


@pytest.mark.parametrize("shape", [(161, 161), (176, 240), (191, 203)])
@pytest.mark.parametrize("noise", [2, 20, 80])
def test_it_agrees_with_the_steps_of_the_paper_one_by_one(shape: tuple[int, int], noise: float) -> None:
    image, truth = pair(shape, noise)
    assert ms_ssim(image, truth) == pytest.approx(by_the_book(image, truth), abs=AGREEMENT)


def test_channels_are_judged_alone_and_averaged() -> None:
    image, truth = pair((170, 180, 3))
    alone = [ms_ssim(image[..., channel], truth[..., channel]) for channel in range(3)]
    assert ms_ssim(image, truth) == pytest.approx(sum(alone) / 3, abs=AGREEMENT)


def test_equal_images_have_one_and_more_noise_less() -> None:
    values = [ms_ssim(*pair((180, 180), noise)) for noise in (0, 5, 20, 60)]
    assert values[0] == pytest.approx(1, abs=AGREEMENT)
    assert values == sorted(values, reverse=True)


def test_order_and_range_do_not_matter() -> None:
    image, truth = pair((170, 180))
    value = ms_ssim(image, truth)
    assert ms_ssim(truth, image) == pytest.approx(value, abs=AGREEMENT)
    assert ms_ssim(image / 255, truth / 255, data_range=1) == pytest.approx(value, abs=AGREEMENT)


def test_the_negative_of_an_image_has_zero_and_is_a_number() -> None:
    truth = np.random.default_rng(0).integers(0, 256, (170, 180), np.uint8)
    assert ms_ssim(255 - truth, truth) == 0


def test_images_too_small_for_five_sizes_are_refused() -> None:
    fits, small = np.zeros((SMALLEST_SIDE, 200)), np.zeros((SMALLEST_SIDE - 1, 200))
    assert ms_ssim(fits, fits) == 1
    with pytest.raises(SettingError, match="at least 161"):
        ms_ssim(small, small)


def test_images_of_two_shapes_are_refused() -> None:
    with pytest.raises(SettingError, match="one shape"):
        ms_ssim(np.zeros((200, 200)), np.zeros((200, 201)))
