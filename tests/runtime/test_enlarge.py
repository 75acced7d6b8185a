from __future__ import annotations

import numpy as np
import pytest

from pocketsr.errors import SettingError
from pocketsr.image import Photo, resize_bicubic
from pocketsr.runtime import Target, Upscaler
from pocketsr.runtime.enlarge import Enlarger
from sample_models import InMemory


@pytest.fixture(scope="module")
def models() -> dict[int, Upscaler]:
    return {scale: Upscaler("any.tflite", backend=InMemory(scale)) for scale in (2, 3)}


def _made(enlarger: Enlarger, photo: Photo) -> np.ndarray:
    return np.concatenate([pixels for pixels, _ in enlarger.strips(photo)])


def _photo() -> Photo:
    return Photo(np.random.default_rng(0).integers(0, 256, (11, 9, 3), np.uint8))


def test_a_scale_that_a_model_has_is_that_model_and_no_resizing(models: dict[int, Upscaler]) -> None:
    for scale, model in models.items():
        made = _made(Enlarger(tuple(models.values()), target=Target(scale=scale)), _photo())
        assert np.array_equal(made, model(_photo().pixels))


def test_models_follow_each_other_where_one_is_not_enough(models: dict[int, Upscaler]) -> None:
    enlarger = Enlarger(tuple(models.values()), target=Target(scale=4))
    assert np.array_equal(_made(enlarger, _photo()), models[2](models[2](_photo().pixels)))
    enlarger = Enlarger(tuple(models.values()), target=Target(scale=6))
    assert np.array_equal(_made(enlarger, _photo()), models[2](models[3](_photo().pixels)))


def test_what_is_past_the_size_is_resized_by_antialiased_bicubic(models: dict[int, Upscaler]) -> None:
    made = _made(Enlarger(models[3], target=Target(scale=2.5)), _photo())
    whole = resize_bicubic(models[3](_photo().pixels).astype(np.float64), 28, 23)
    assert np.abs(made - np.clip(whole, 0, 255)).max() <= 0.51


def test_without_a_size_the_first_model_is_taken(models: dict[int, Upscaler]) -> None:
    assert np.array_equal(_made(Enlarger((models[3], models[2])), _photo()), models[3](_photo().pixels))


def test_progress_comes_from_the_last_model(models: dict[int, Upscaler]) -> None:
    calls: list[tuple[int, int]] = []
    photo = Photo(_photo().pixels, alpha=np.full((11, 9), 90, np.uint8))
    list(Enlarger(models[2], target=Target(scale=4)).strips(photo, on_progress=lambda *call: calls.append(call)))
    assert calls == [(1, 1)]


def test_no_model_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one model"):
        Enlarger(())
