"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with benchmark and training images; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("POCKETSR_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the images are not at {folder}; set POCKETSR_DATA")
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small images with edges, ramps and noise."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for index in range(6):
        rows, columns = np.mgrid[0:96, 0:108]
        waves = 127 + 100 * np.sin(rows / (3 + index)) * np.cos(columns / (4 + index))
        image = np.stack([waves, waves.T[:96, :96].repeat(2, axis=1)[:, :108], 255 - waves], axis=2)
        image[20:50, 30:60] = random.integers(0, 256, 3)
        image += random.normal(0, 4, image.shape)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def vgg19_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG-19's convolutions in a file as torchvision writes it, with random weights."""
    import torch

    from pocketsr.train.losses.perceptual import features_up_to

    torch.manual_seed(0)
    layers = features_up_to("conv5_4", relu=False)
    file = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, file)
    return file


@pytest.fixture(scope="session")
def lpips_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what ``lpips`` of SqueezeNet needs, with random weights."""
    from pocketsr.evaluate.perceptual.features import SQUEEZENET
    from sample_features import write_lpips_files

    return write_lpips_files(tmp_path_factory.mktemp("metrics"), SQUEEZENET)


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ABPN ×3 with random weights, saved, to learn from."""
    import torch

    from pocketsr.networks import build
    from pocketsr.networks.saved import save_network

    torch.manual_seed(0)
    options = {"scale": 3, "width": 8, "depth": 1}
    file = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_network(build("abpn", options), file, name="abpn", options=options)
    return file
