from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.evaluate.perceptual.dists import DistsModel, dists, read_dists
from pocketsr.evaluate.perceptual.layers import smooth_pool

#: float32 sums in another order through thirteen layers.
AGREEMENT = 1e-4
WIDTHS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Weights and heads as torch writes them, at random."""
    torch.manual_seed(0)
    folder, state, inputs, index = tmp_path_factory.mktemp("dists"), {}, 3, 0
    for width, count in WIDTHS:
        for _ in range(count):
            state[f"features.{index}.weight"] = torch.randn(width, inputs, 3, 3) * (2 / 9 / inputs) ** 0.5
            state[f"features.{index}.bias"] = torch.randn(width) * 0.1
            inputs, index = width, index + 2
        index += 1
    torch.save(state, folder / "vgg16.pth")
    torch.save({"alpha": torch.rand(1, 1475, 1, 1), "beta": torch.rand(1, 1475, 1, 1)}, folder / "weights.pt")
    return folder / "vgg16.pth", folder / "weights.pt"


@pytest.fixture(scope="module")
def model(files: tuple[Path, Path]) -> DistsModel:
    return read_dists(*files)


def torch_pool(x: torch.Tensor) -> torch.Tensor:
    axis = torch.tensor([0.5, 1, 0.5]) / 2
    window = torch.outer(axis, axis).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x**2, window, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


def by_torch(image: np.ndarray, truth: np.ndarray, files: tuple[Path, Path]) -> float:
    """The paper's equations, with torch."""
    state, heads = (torch.load(file, weights_only=True) for file in files)
    seen = []
    for each in (image, truth):
        x = torch.from_numpy(each).permute(2, 0, 1)[None].float() / 255
        maps, index = [x], 0
        x = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        for stage, (_, count) in enumerate(WIDTHS):
            x = torch_pool(x) if stage else x
            for _ in range(count):
                x = F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1).relu()
                index += 2
            index += 1
            maps.append(x)
        seen.append(maps)
    means, structure = [], []
    for a, b in zip(*seen, strict=True):
        ma, mb = a.mean((2, 3)), b.mean((2, 3))
        va, vb = a.var((2, 3), correction=0), b.var((2, 3), correction=0)
        covariance = (a * b).mean((2, 3)) - ma * mb
        means.append((2 * ma * mb + 1e-6) / (ma**2 + mb**2 + 1e-6))
        structure.append((2 * covariance + 1e-6) / (va + vb + 1e-6))
    alpha, beta = heads["alpha"].flatten(), heads["beta"].flatten()
    likeness = (alpha * torch.cat(means, 1)).sum() + (beta * torch.cat(structure, 1)).sum()
    return float(1 - likeness / (alpha.sum() + beta.sum()))


def pair(height: int = 48, width: int = 61) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (height, width, 3), np.uint8)
    return np.clip(truth + random.normal(0, 40, truth.shape), 0, 255).astype(np.uint8), truth


def test_pooling_agrees_with_torch() -> None:
    x = np.random.default_rng(0).normal(size=(3, 9, 12)).astype(np.float32)
    assert smooth_pool(x) == pytest.approx(torch_pool(torch.from_numpy(x)[None])[0].numpy(), abs=1e-6)


def test_it_agrees_with_torch(files: tuple[Path, Path], model: DistsModel) -> None:
    assert dists(*pair(), model) == pytest.approx(by_torch(*pair(), files), abs=AGREEMENT)


def test_equal_images_are_at_no_distance_and_shifted_noise_is_near(model: DistsModel) -> None:
    image, truth = pair()
    assert dists(truth, truth, model) == 0
    moved = np.roll(truth, 8, axis=1)
    assert dists(image, truth, model) > 0
    assert dists(moved, truth, model) < dists(np.full_like(truth, 128), truth, model)


def test_a_single_pixel_can_be_judged(model: DistsModel) -> None:
    assert dists(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8), model) > 0


def test_other_files_and_images_are_refused(files: tuple[Path, Path], model: DistsModel) -> None:
    with pytest.raises(ModelFileError, match="alpha with 1475"):
        read_dists(files[0], files[0])
    with pytest.raises(ModelFileError, match=r"weights\.pt: .*vgg16"):
        read_dists(files[1], files[1])
    image, truth = pair()
    with pytest.raises(SettingError, match="one shape"):
        dists(image[1:], truth, model)
    with pytest.raises(SettingError, match="uint8"):
        dists(image / 255, truth, model)
