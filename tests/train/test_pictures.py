"""Pictures show the same place four times, and are whole files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pocketsr.data import Pair, load_pairs
from pocketsr.image import downscale
from pocketsr.networks import build
from pocketsr.train.pictures import draw_pictures


def test_columns_are_low_bicubic_network_and_truth_of_the_busiest_place(tmp_path: Path) -> None:
    high = np.full((120, 120, 3), 90, np.uint8)
    high[60:100, 30:70] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))  # the only place with detail
    pair = Pair(downscale(high, 2), high, "a.png")
    network = build("bicubic", {"scale": 2}).train()
    draw_pictures(network, [pair], tmp_path / "deep" / "a-1.png", crop=20)
    assert network.training
    sheet = np.asarray(Image.open(tmp_path / "deep" / "a-1.png"))
    assert sheet.shape[1] == 4 * (40 + 4)
    low, bicubic, made, truth = (sheet[:40, left : left + 40] for left in range(0, 176, 44))
    assert np.array_equal(truth, high[60:100, 30:70])
    assert np.array_equal(low[::2, ::2], low[1::2, 1::2])
    assert np.abs(made.astype(int) - bicubic).max() <= 2  # the network is bicubic, but rounds once
    assert sheet[40:54].min() < 128, "the caption is missing"


def test_a_sheet_has_a_row_for_each_image_and_takes_small_ones(image_folder: Path, tmp_path: Path) -> None:
    pairs = load_pairs(image_folder, scale=3)
    network = build("bicubic", {"scale": 3})
    for count in (1, 3):
        draw_pictures(network, pairs, tmp_path / f"{count}.png", count=count, crop=500)
    one, three = (np.asarray(Image.open(tmp_path / f"{count}.png")) for count in (1, 3))
    assert three.shape[0] == 3 * one.shape[0]
    assert one.shape[1] == 4 * (108 + 4)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["1.png", "3.png"]
