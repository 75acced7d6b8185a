import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pocketsr.errors import SettingError
from pocketsr.image import crop_to_multiple, downscale, resize_bicubic

#: float64 sums of up to 16 products.
FLOAT_TOLERANCE = 1e-12
#: Pillow's weights have 22 fractional bits, and both round twice; a double rounding moves a level by one.
PILLOW_LEVELS = 1
PILLOW_MEAN_LEVELS = 0.01
#: Pixels from the edge within which Pillow cuts the kernel off and MATLAB mirrors the image, per scale.
KERNEL_RADIUS = 2


def row(values, dtype=np.float64):
    return np.array([values], dtype)


def test_doubling_an_impulse_shows_the_keys_weights_worked_by_hand() -> None:
    # Outputs lie at distances 1/4, 3/4, 5/4 and 7/4 from the impulse, on both sides:
    # k(1/4) = 111/128, k(3/4) = 29/128, k(5/4) = −9/128, k(7/4) = −3/128.
    impulse = row([0, 0, 0, 128, 0, 0, 0])
    expected = [0, 0, -3, -9, 29, 111, 111, 29, -9, -3, 0, 0]
    assert resize_bicubic(impulse, 1, 14)[0, 1:13] == pytest.approx(expected, abs=1e-10)


def test_tripling_an_impulse_shows_the_keys_weights_worked_by_hand() -> None:
    # Distances 0, 1/3, 2/3, 1, 4/3, 5/3: k = 54, 42, 18, 0, −4, −2 over 54.
    impulse = row([0, 0, 0, 54, 0, 0, 0])
    expected = [-2, -4, 0, 18, 42, 54, 42, 18, 0, -4, -2]
    assert resize_bicubic(impulse, 1, 21)[0, 5:16] == pytest.approx(expected, abs=1e-10)


def test_halving_an_impulse_shows_the_stretched_weights_worked_by_hand() -> None:
    # Stretched by 2, an output at distance d has weight k(d / 2) / 2; here d = 1/2, 3/2, 5/2, 7/2.
    impulse = row([0] * 8 + [256] + [0] * 7)
    # outputs 2..6 are centred (0-based) at 4.5, 6.5, 8.5, 10.5, 12.5: distances 7/2, 3/2, 1/2, 5/2, 9/2
    assert resize_bicubic(impulse, 1, 8)[0, 2:7] == pytest.approx([-3, 29, 111, -9, 0], abs=1e-10)


def test_shrinking_an_impulse_by_three_shows_the_stretched_weights_worked_by_hand() -> None:
    # Output 3 is centred on input 10, the impulse; its neighbours are 3 away, where k(1) = 0.
    impulse = row([0] * 10 + [90] + [0] * 10)
    assert resize_bicubic(impulse, 1, 7)[0] == pytest.approx([0, 0, 0, 30, 0, 0, 0], abs=1e-10)
    # Moved by one: distances 1 → k(1/3) = 42/54 and 2 → k(2/3) = 18/54, 4 → k(4/3) = −4/54, 5 → k(5/3) = −2/54.
    moved = row([0] * 11 + [162] + [0] * 9)
    assert resize_bicubic(moved, 1, 7)[0] == pytest.approx([0, 0, -4, 42, 18, -2, 0], abs=1e-10)


def test_the_kernel_of_opencv_is_a_keyword() -> None:
    # With a = −3/4: k(1/4) = 225/256, k(3/4) = 67/256, k(5/4) = −27/256, k(7/4) = −9/256.
    impulse = row([0, 0, 0, 256, 0, 0, 0])
    expected = [-9, -27, 67, 225, 225, 67, -27, -9]
    assert resize_bicubic(impulse, 1, 14, a=-0.75)[0, 3:11] == pytest.approx(expected, abs=1e-10)


def test_a_ramp_stays_a_ramp_away_from_the_border_in_both_directions() -> None:
    ramp = row(np.arange(24.0))
    assert resize_bicubic(ramp, 1, 48)[0, 4:-4] == pytest.approx(np.arange(48)[4:-4] / 2 - 0.25, abs=1e-10)
    assert resize_bicubic(ramp, 1, 8)[0, 2:-2] == pytest.approx(np.arange(8)[2:-2] * 3 + 1, abs=1e-10)


def test_borders_are_mirrored_with_the_edge_pixel_repeated() -> None:
    # First output of a doubling lies 1/4 before pixel 0: 111·p0 + 29·p(−1) − 9·p1 − 3·p(−2) over
    # 128, where p(−1) = p0 and p(−2) = p1.
    image = row([128.0, 0, 0, 0])
    assert resize_bicubic(image, 1, 8)[0, 0] == pytest.approx(111 + 29, abs=1e-10)
    image = row([0, 128.0, 0, 0])
    assert resize_bicubic(image, 1, 8)[0, 0] == pytest.approx(-9 - 3, abs=1e-10)


def test_rows_and_columns_are_treated_alike() -> None:
    image = np.random.default_rng(0).random((12, 12))
    assert resize_bicubic(image.T, 5, 5) == pytest.approx(resize_bicubic(image, 5, 5).T, abs=FLOAT_TOLERANCE * 10)


def test_bytes_are_rounded_half_up_after_each_pass_and_clipped() -> None:
    # Shrinking rows first: columns of (0, 1) give exactly one half, which becomes 1 before the other pass.
    image = np.array([[0, 0], [1, 1]], np.uint8)
    assert resize_bicubic(image, 1, 2).tolist() == [[1, 1]]
    overshoot = resize_bicubic(row([0, 0, 255, 255], np.uint8), 1, 16)
    assert overshoot.min() == 0
    assert overshoot.max() == 255


def test_without_antialiasing_shrinking_samples_the_plain_kernel() -> None:
    impulse = row([0] * 10 + [90] + [0] * 10)
    assert resize_bicubic(impulse, 1, 7, antialias=False)[0, 3] == pytest.approx(90, abs=1e-10)


@pytest.mark.parametrize("size", [(24, 18), (16, 12), (12, 9), (96, 72), (144, 108)])
def test_the_interior_agrees_with_pillow(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 36, 3), np.uint8)
    theirs = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))
    # Pillow takes columns first, MATLAB rows; the rounding in between shows it, so ours is turned on its side.
    ours = resize_bicubic(image.transpose(1, 0, 2), size[1], size[0]).transpose(1, 0, 2)
    edge = int(np.ceil(KERNEL_RADIUS * max(1, size[0] / 48)))
    difference = np.abs(ours.astype(int) - theirs)[edge:-edge, edge:-edge]
    assert difference.max() <= PILLOW_LEVELS
    assert difference.mean() < PILLOW_MEAN_LEVELS


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_type_is_kept(dtype: type) -> None:
    image = np.full((6, 9, 3), 7, dtype)
    result = resize_bicubic(image, 4, 5)
    assert result.dtype == dtype
    assert result.shape == (4, 5, 3)


def test_sixteen_bits_reach_their_own_white() -> None:
    image = np.full((6, 9), 65535, np.uint16)
    assert np.array_equal(resize_bicubic(image, 12, 3), np.full((12, 3), 65535))


def test_floats_are_neither_rounded_nor_clipped() -> None:
    result = resize_bicubic(row([0.0, 0, 1, 1]), 1, 8)
    assert result.min() < 0
    assert result.max() > 1


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 20), width=st.integers(1, 20), new_height=st.integers(1, 40), new_width=st.integers(1, 40),
    level=st.integers(0, 255), a=st.sampled_from([-0.5, -0.75]),
)  # fmt: skip
def test_a_constant_stays_constant_at_every_size(height, width, new_height, new_width, level, a) -> None:
    image = np.full((height, width), level, np.uint8)
    assert np.array_equal(resize_bicubic(image, new_height, new_width, a=a), np.full((new_height, new_width), level))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30))
def test_mirroring_the_image_mirrors_the_result(seed: int, new_height: int, new_width: int) -> None:
    image = np.random.default_rng(seed).random((11, 14))
    turned = resize_bicubic(image[::-1, ::-1], new_height, new_width)[::-1, ::-1]
    assert turned == pytest.approx(resize_bicubic(image, new_height, new_width), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(4, 20), st.integers(4, 20))
def test_downscaling_crops_at_the_bottom_and_right_to_a_multiple(scale: int, height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    cropped = crop_to_multiple(image, scale)
    assert cropped.shape == (height // scale * scale, width // scale * scale, 3)
    assert np.array_equal(cropped, image[: cropped.shape[0], : cropped.shape[1]])
    assert np.array_equal(downscale(image, scale), downscale(cropped, scale))
    assert downscale(image, scale).shape == (height // scale, width // scale, 3)


@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
def test_an_empty_result_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(SettingError, match="cannot be resized"):
        resize_bicubic(np.zeros((4, 4)), *size)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(SettingError, match="cannot be resized"):
        resize_bicubic(np.zeros((0, 4)), 2, 2)
