"""Folders of ground truth in every layout, inputs that are kept, and folders that are not what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.errors import DataError
from pocketsr.evaluate import PROTOCOLS, bicubic, evaluate, find_protocol
from pocketsr.evaluate.inputs import find_files, load_item, remarks


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(file: Path, pixels: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return file


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("HR/a.png", "LR_bicubic/X2/a.png"),
        ("DIV2K_valid_HR/0801.png", "DIV2K_valid_LR_bicubic/X2/0801x2.png"),
        ("image_SRF_2/img_001_SRF_2_HR.png", "image_SRF_2/img_001_SRF_2_LR.png"),
    ],
)
def test_pairs_are_found_and_their_low_side_is_what_is_judged(tmp_path: Path, high: str, low: str) -> None:
    save(tmp_path / high, image(20, 31))
    given = image(10, 15, seed=1)
    save(tmp_path / low, given)
    assert find_files(tmp_path, 2) == ((tmp_path / high, tmp_path / low),)
    seen = []

    def upscale(pixels: np.ndarray) -> np.ndarray:
        seen.append(pixels)
        return bicubic(2)(pixels)

    protocols = [find_protocol("scsrn"), find_protocol("lrsrn")]
    report = evaluate(upscale, tmp_path, scale=2, protocols=protocols)
    assert np.array_equal(seen[0], given)
    assert not np.array_equal(seen[1], given)  # compressed inputs are made
    assert len(report.rows) == 1


def test_a_low_side_of_another_size_is_named(tmp_path: Path) -> None:
    save(tmp_path / "HR/a.png", image(20, 30))
    save(tmp_path / "LR_bicubic/X2/a.png", image(9, 15))
    with pytest.raises(DataError, match="9×15 pixels, the ground truth 20×30"):
        evaluate(bicubic(2), tmp_path, scale=2, protocols=PROTOCOLS[:1])


def test_a_missing_low_side_is_named(tmp_path: Path) -> None:
    save(tmp_path / "image_SRF_2/a_HR.png", image(20, 30))
    with pytest.raises(DataError, match=r"lacks the low-resolution side of a_HR\.png"):
        find_files(tmp_path, 2)


def test_inputs_are_kept_by_content_and_way_of_making(tmp_path: Path) -> None:
    file, cache = save(tmp_path / "a.png", image(21, 34)), tmp_path / "cache"
    fresh = load_item(file, None, 2, PROTOCOLS)
    first = load_item(file, None, 2, PROTOCOLS, cache)
    kept = sorted(cache.rglob("*.npy"))
    assert len(kept) == len({repr(protocol.inputs) for protocol in PROTOCOLS})
    again = load_item(file, None, 2, PROTOCOLS, cache)
    for item in (first, again):
        for name, (low, truth) in item.inputs.items():
            assert np.array_equal(low, fresh.inputs[name][0])
            assert np.array_equal(truth, fresh.inputs[name][1])
    np.save(kept[0], np.load(kept[0]) * 0)  # it is the kept one that is used
    changed = load_item(file, None, 2, PROTOCOLS, cache)
    assert any(not low.any() for low, _ in changed.inputs.values())
    kept[0].write_bytes(b"torn")
    mended = load_item(file, None, 2, PROTOCOLS, cache)
    assert all(np.array_equal(mended.inputs[name][0], fresh.inputs[name][0]) for name in fresh.inputs)


def test_protocols_that_agree_in_their_inputs_share_them(tmp_path: Path) -> None:
    item = load_item(save(tmp_path / "a.png", image(20, 30)), None, 2, PROTOCOLS)
    assert item.inputs["scsrn"][0] is item.inputs["classic"][0]
    assert item.inputs["scsrn"][0] is not item.inputs["lrsrn"][0]


@pytest.mark.parametrize(
    ("folder", "sizes", "words"),
    [
        ("Urban100", [(512, 400)] * 100, "the copy at half its size, 512 pixels"),
        ("Set14", [(300, 300)] * 12, "12 images here; 14"),
    ],
)
def test_known_folders_that_are_not_themselves_are_told(folder: str, sizes: list[tuple[int, int]], words: str) -> None:
    (found,) = remarks(folder, sizes)
    assert words in found


def test_nothing_is_said_of_what_is_right_or_unknown() -> None:
    assert list(remarks("Urban100", [(1024, 800)] * 100)) == []
    assert list(remarks("holidays", [(100, 100)])) == []
