"""Each fault is found by the check that is meant for it, and by no other."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate import Bounds, Check, Upscale, Verification, bicubic, verify
from pocketsr.evaluate.charts import Image

SCALE = 2
#: Photographs, so that one spoilt a little is lost in the mean.
COUNT = 12

Pairs = list[tuple[str, Image, Image]]

reference = bicubic(SCALE)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Noise that bicubic enlarges badly (20 to 30 dB), away from black and white."""
    random = np.random.default_rng(0)
    found = []
    for index in range(COUNT):
        low = reference(random.integers(60, 196, (9, 8, 3), dtype=np.uint8))
        noise = random.normal(0, 12, (SCALE * low.shape[0], SCALE * low.shape[1], 3))
        found.append((f"{index}.png", low, np.clip(reference(low) + noise, 0, 255).astype(np.uint8)))
    return found


def found_in(artefact: Upscale, pairs: Pairs, bounds: Bounds | None = None) -> dict[str, Check]:
    return {check.name: check for check in verify(artefact, reference, pairs, bounds=bounds).checks}


def failing(artefact: Upscale, pairs: Pairs, bounds: Bounds | None = None) -> set[str]:
    return {name for name, check in found_in(artefact, pairs, bounds).items() if not check.passed}


def test_the_same_passes_everything_with_figures_of_nought(pairs: Pairs) -> None:
    found = verify(reference, reference, pairs)
    assert found.passed
    assert [check.figure for check in found.checks] == [0.0] * 8
    assert [image.name for image in found.images] == [name for name, _, _ in pairs]


def test_only_darkening_fails_a_picture_half_a_level_darker(pairs: Pairs) -> None:
    def darker(image: Image) -> Image:
        made = reference(image)
        made[::2] -= (made[::2] > 0) & (made[::2] < 255)
        return made

    found = found_in(darker, pairs)
    assert {name for name, check in found.items() if not check.passed} == {"darkening"}
    assert found["darkening"].measures == pytest.approx({"red": -0.5, "green": -0.5, "blue": -0.5})
    assert found["quality"].figure < 0.01, "which is what PSNR says of it"


def test_only_darkening_fails_a_shift_of_one_colour(pairs: Pairs) -> None:
    def greener(image: Image) -> Image:
        made = reference(image).astype(int)
        made[..., 1] += (made[..., 1] > 0) & (made[..., 1] < 255)
        return made.astype(np.uint8)

    found = found_in(greener, pairs)
    assert {name for name, check in found.items() if not check.passed} == {"darkening"}
    assert found["darkening"].measures == {"red": 0.0, "green": 1.0, "blue": 0.0}


@pytest.mark.parametrize(("low", "high"), [(0, 250), (5, 255)])
def test_only_black_and_white_fails_a_clipped_one(pairs: Pairs, low: int, high: int) -> None:
    # Ramps that end beyond the clip become flat there, which is no step.
    found = found_in(lambda image: np.clip(reference(image), low, high).astype(np.uint8), pairs)
    assert {name for name, check in found.items() if not check.passed} == {"black and white"}
    measures = found["black and white"].measures
    assert (measures["black_artefact"], measures["white_artefact"]) == (low, high)
    assert (measures["edge_lowest_artefact"], measures["edge_highest_artefact"]) == (low, high)


@pytest.mark.parametrize(("bits", "height"), [(7, 2), (6, 4)])
def test_only_banding_fails_fewer_bits(pairs: Pairs, bits: int, height: int) -> None:
    assert 256 / height == 2**bits
    found = found_in(lambda image: fewer_levels(reference(image), height), pairs)
    assert {name for name, check in found.items() if not check.passed} == {"banding"}
    assert found["banding"].figure == pytest.approx(height - 1)


def test_rounding_up_here_and_down_there_is_no_banding(pairs: Pairs) -> None:
    def trembling(image: Image) -> Image:
        made = reference(image).astype(int)
        height, width = image.shape[:2]
        signs = np.tile([1, -1, 0, 0], (height, width, 3, 1))
        cells = np.random.default_rng(0).permuted(signs, axis=3).reshape(height, width, 3, SCALE, SCALE)
        tremble = cells.transpose(0, 3, 1, 4, 2).reshape(made.shape)
        return np.where((made == 0) | (made == 255), made, made + tremble).astype(np.uint8)

    found = verify(trembling, reference, pairs)
    assert found.passed
    assert all(image.largest == 1 for image in found.images)


def test_only_grid_fails_a_pattern_in_every_cell(pairs: Pairs) -> None:
    def patterned(image: Image) -> Image:
        made = reference(image)
        inner = (made > 1) & (made < 254)
        made[::2, ::2] += np.uint8(2) * inner[::2, ::2]
        made[1::2, 1::2] -= np.uint8(2) * inner[1::2, 1::2]
        return made

    found = found_in(patterned, pairs)
    assert {name for name, check in found.items() if not check.passed} == {"grid"}
    assert found["grid"].figure == pytest.approx(4, abs=0.1)


def test_only_the_worst_image_fails_one_among_many(pairs: Pairs) -> None:
    _, spoilt, truth = pairs[7]

    def bad(image: Image) -> Image:
        made = reference(image)
        if not np.array_equal(image, spoilt):
            return made
        # Five levels away from the truth: worse by 0.1 dB in the mean of twelve would be 1.2 dB here.
        return np.clip(made + 5 * np.sign(made.astype(int) - truth), 0, 255).astype(np.uint8)

    found = found_in(bad, pairs, Bounds(drop_db=0.5))
    assert {name for name, check in found.items() if not check.passed} == {"worst image"}
    assert found["worst image"].measures["image"] == "7.png"
    assert "7.png" in found["worst image"].advice


def test_only_pixels_fails_values_that_overflow(pairs: Pairs) -> None:
    def overflowing(image: Image) -> Image:
        made = reference(image)
        if image.shape[0] == pairs[0][1].shape[0]:
            made[3, 5:8] ^= 0x20
        return made

    found = found_in(overflowing, pairs, Bounds(drop_db=9, worst_db=9, shift=9))
    assert {name for name, check in found.items() if not check.passed} == {"pixels"}
    assert found["pixels"].measures["largest"] == 32


def test_a_quality_lost_everywhere_fails_quality(pairs: Pairs) -> None:
    random = np.random.default_rng(1)

    def noisy(image: Image) -> Image:
        made = reference(image).astype(int)
        return np.where((made == 0) | (made == 255), made, made + random.integers(-4, 5, made.shape)).astype(np.uint8)

    found = found_in(noisy, pairs, Bounds(banding=99, grid=99, ends=9))
    assert "quality" in {name for name, check in found.items() if not check.passed}
    assert found["quality"].figure == pytest.approx(
        float(found["quality"].measures["reference_db"]) - float(found["quality"].measures["artefact_db"])
    )


def test_only_odd_sizes_fails_one_that_cannot_do_them(pairs: Pairs) -> None:
    def fussy(image: Image) -> Image:
        if min(image.shape[:2]) < 2:
            raise RuntimeError("no kernel fits")
        return reference(image) if image.shape[1] != 13 else reference(image)[:-1]

    found = found_in(fussy, pairs)
    assert {name for name, check in found.items() if not check.passed} == {"odd sizes"}
    assert found["odd sizes"].words == "fails at 1×1, 1×7, 7×1, 17×13"
    assert verify(fussy, fussy, pairs).passed, "what the reference cannot do either is not the file's fault"


def test_no_images_and_other_factors_are_refused(pairs: Pairs) -> None:
    with pytest.raises(DataError, match="at least one image"):
        verify(reference, reference, [])
    with pytest.raises(SettingError, match="need one scale"):
        verify(bicubic(3), reference, pairs)
    with pytest.raises(SettingError, match="need one scale"):
        verify(reference, bicubic(3), pairs)
    with pytest.raises(SettingError, match="bound shift must be 0 or more"):
        Bounds(shift=-1)


def test_not_a_number_fails() -> None:
    assert not Check(name="x", figure=float("nan"), bound=1, unit="", words="", advice="").passed


def test_json_has_neither_infinity_nor_tuples(pairs: Pairs) -> None:
    perfect: Pairs = [(name, low, reference(low)) for name, low, _ in pairs[:2]]
    found: Verification = verify(lambda image: fewer_levels(reference(image), 4), reference, perfect)
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["passed"] is False
    assert plain["checks"][0]["figure"] is None, "all of infinitely many dB are lost"
    assert plain["images"][0]["reference_db"] is None


def fewer_levels(image: Image, height: int) -> Image:
    """Round to multiples of ``height``, to the even one from the middle: no shift on average; 255 stays."""
    return np.minimum(np.rint(image / height) * height, 255).astype(np.uint8)
