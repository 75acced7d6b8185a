"""Each fault is found by the check that is meant for it, and by no other that has nothing to do with it."""

from __future__ import annotations

import numpy as np
import pytest

from pocketsr.errors import DataError, SettingError
from pocketsr.evaluate import Bounds, Upscale, bicubic, verify

Image = np.ndarray


@pytest.fixture(scope="module")
def truths() -> list[tuple[str, Image, Image]]:
    random = np.random.default_rng(0)
    found = []
    for index in range(3):
        small = random.integers(40, 216, (9, 8, 3), dtype=np.uint8)
        low = bicubic(4)(small)
        found.append((f"{index}.png", low, bicubic(2)(low)))
    return found


def failing(artefact: Upscale, truths: list[tuple[str, Image, Image]], bounds: Bounds | None = None) -> set[str]:
    # The reference is not perfect: a perfect one has infinite PSNR, which nothing comes near.
    found = verify(artefact, reference, truths, bounds=bounds)
    return {check.name for check in found.checks if not check.passed}


def reference(image: Image) -> Image:
    return np.clip(bicubic(2)(image).astype(int) + noise_like(image), 0, 255).astype(np.uint8)


def noise_like(image: Image) -> Image:
    """Return what is wrong with the reference: a level here and there, nothing at flat places or on average."""
    height, width = 2 * image.shape[0], 2 * image.shape[1]
    rows, columns = np.indices((height, width))
    busy = np.ptp(image.reshape(-1, 3), axis=0).max() > 70
    return (((rows + columns) % 2) * 2 - 1)[:, :, None] * 2 * busy


def test_the_same_passes_everything(truths: list[tuple[str, Image, Image]]) -> None:
    found = verify(reference, reference, truths)
    assert found.passed
    assert all(check.passed for check in found.checks)
    assert set(found.images) == {"0.png", "1.png", "2.png"}
    assert found.to_dict()["passed"] is True


def test_a_darker_picture_is_found_where_psnr_hardly_moves(truths: list[tuple[str, Image, Image]]) -> None:
    def darker(image: Image) -> Image:
        made = reference(image)
        return np.where((made > 0) & (made < 255) & (np.indices(made.shape)[0] % 2 == 0), made - 1, made).astype(
            np.uint8
        )

    assert failing(darker, truths, Bounds(drop_db=0.7, worst_db=1.0)) == {"darkening"}


def test_a_white_that_is_not_reached_is_found(truths: list[tuple[str, Image, Image]]) -> None:
    assert failing(lambda image: np.minimum(reference(image), 250), truths) == {"black and white"}


def test_steps_on_ramps_are_found(truths: list[tuple[str, Image, Image]]) -> None:
    def coarse(image: Image) -> Image:
        made = reference(image)
        return np.where((made > 0) & (made < 255), made // 4 * 4 + 2, made).astype(np.uint8)

    assert "banding" in failing(coarse, truths, Bounds(drop_db=99, worst_db=99, shift=9))


def test_the_worst_image_is_named(truths: list[tuple[str, Image, Image]]) -> None:
    spoilt = truths[1][1]

    def bad(image: Image) -> Image:
        return np.full_like(reference(image), 128) if np.array_equal(image, spoilt) else reference(image)

    found = verify(bad, reference, truths, bounds=Bounds(shift=99))
    failed = {check.name: check for check in found.checks if not check.passed}
    assert set(failed) == {"quality", "worst image"}
    assert failed["worst image"].words.startswith("1.png")
    assert "calibrate" in failed["worst image"].advice


def test_no_images_and_other_factors_are_refused(truths: list[tuple[str, Image, Image]]) -> None:
    with pytest.raises(DataError, match="at least one image"):
        verify(reference, reference, [])
    with pytest.raises(SettingError, match="same factor"):
        verify(bicubic(3), reference, truths)
    with pytest.raises(SettingError, match="bound shift must be 0 or more"):
        Bounds(shift=-1)


def test_not_a_number_fails() -> None:
    from pocketsr.evaluate import Check

    assert not Check(name="x", figure=float("nan"), bound=1, words="", advice="").passed
