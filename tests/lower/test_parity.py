"""A model file is written only if running it gives what its network gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketsr.compress import quantise
from pocketsr.errors import ParityError
from pocketsr.graph import Graph, execute
from pocketsr.image import downscale, read_image
from pocketsr.lower import write_checked
from pocketsr.networks import build
from pocketsr.train import to_levels
from sample_graphs import abpn_like_graph, spec_for

IMAGES = [np.random.default_rng(0).integers(0, 256, (14, 15, 3), dtype=np.uint8)]


def forward_of(graph: Graph, error: float = 0.0):
    def forward(image: np.ndarray) -> np.ndarray:
        if graph.is_integer:
            centred = (image[None].astype(np.int16) - 128).astype(np.int8)
            levels = execute(graph, centred)[0].astype(np.float32) + 128
        else:
            levels = execute(graph, image[None].astype(np.float32))[0]
        levels[0, 0, 0] += error
        return levels

    return forward


@pytest.mark.parametrize(("precision", "error"), [("int8", 1.0), ("float32", 0.03)])
def test_a_difference_is_refused_and_nothing_is_written(tmp_path: Path, precision: str, error: float) -> None:
    graph = abpn_like_graph(precision=precision)
    with pytest.raises(ParityError, match="nothing was written"):
        write_checked(graph, spec_for(graph), tmp_path / "m.tflite", forward=forward_of(graph, error), images=IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_number_is_a_difference(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="float32")
    forward = forward_of(graph, float("nan"))
    with pytest.raises(ParityError, match="by up to inf of full range"):
        write_checked(graph, spec_for(graph), tmp_path / "m.tflite", forward=forward, images=IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_an_image_of_another_size_is_a_difference(tmp_path: Path) -> None:
    graph = abpn_like_graph(precision="float32")
    with pytest.raises(ParityError, match="its network"):
        write_checked(
            graph,
            spec_for(graph),
            tmp_path / "m.tflite",
            forward=lambda image: forward_of(graph)(image)[:, :, :1],
            images=IMAGES,
        )


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_an_equal_file_is_written(tmp_path: Path, precision: str) -> None:
    graph = abpn_like_graph(precision=precision)
    parity = write_checked(graph, spec_for(graph), tmp_path / "m.tflite", forward=forward_of(graph), images=IMAGES)
    assert parity.largest <= (0 if precision == "int8" else 1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_a_description_that_would_show_seams_is_refused(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    spec = spec_for(graph, receptive_field=3)
    with pytest.raises(ParityError, match="looks 4 pixels around"):
        write_checked(graph, spec, tmp_path / "m.tflite", forward=forward_of(graph), images=IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_without_images_nothing_can_be_said(tmp_path: Path) -> None:
    graph = abpn_like_graph()
    with pytest.raises(ParityError, match="at least one"):
        write_checked(graph, spec_for(graph), tmp_path / "m.tflite", forward=forward_of(graph), images=[])


@pytest.mark.data
@pytest.mark.slow
def test_a_full_frame_of_a_real_image_is_identical(data_folder: Path, tmp_path: Path) -> None:
    """360×640 → 1080×1920, every byte, for a network of the published size."""
    torch.manual_seed(0)
    network = build("abpn", {"scale": 3})
    photo = read_image(sorted((data_folder / "benchmarks" / "BSD100").iterdir())[0]).pixels
    frame = np.tile(photo, (2, 2, 1))[:360, :640]
    quantised = quantise(network, [downscale(photo, 3)])
    graph = quantised.graph()
    parity = write_checked(
        graph,
        spec_for(graph, receptive_field=7),
        tmp_path / "m.tflite",
        forward=lambda image: to_levels(quantised, image),
        images=[frame],
    )
    assert (parity.different, parity.values) == (0, 1080 * 1920 * 3)
