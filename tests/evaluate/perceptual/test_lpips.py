"""LPIPS against the same layers built of torch's own, with random weights and with the published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketsr.errors import ModelFileError, SettingError, UnknownNameError
from pocketsr.evaluate.perceptual.features import FEATURE_NETWORKS, FeatureNetwork, extract, prepare_weights
from pocketsr.evaluate.perceptual.lpips import LpipsModel, lpips, read_lpips
from pocketsr.image import downscale, read_image, resize_bicubic

#: Part of the largest value, and of the distance: float32 sums in another order through a dozen layers.
AGREEMENT = 1e-4
NETWORKS = pytest.mark.parametrize("network", FEATURE_NETWORKS, ids=lambda network: network.name)


class TorchFire(nn.Module):
    def __init__(self, inputs: int, few: int, each: int) -> None:
        super().__init__()
        self.squeeze, self.expand1x1 = nn.Conv2d(inputs, few, 1), nn.Conv2d(few, each, 1)
        self.expand3x3 = nn.Conv2d(few, each, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        few = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(few).relu(), self.expand3x3(few).relu()], 1)


def torch_network(name: str) -> tuple[nn.Module, list[int]]:
    """The layers as torchvision numbers them, and after which of them LPIPS looks."""
    conv, relu, holder = nn.Conv2d, nn.ReLU, nn.Module()
    if name == "squeeze":
        sizes = [(64, 16, 64), (128, 16, 64), None, (128, 32, 128), (256, 32, 128), None]
        sizes += [(256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
        steps = [conv(3, 64, 3, 2), relu(), pool(), *(TorchFire(*size) if size else pool() for size in sizes)]
        taps = [1, 4, 7, 9, 10, 11, 12]
    elif name == "alex":
        steps = [conv(3, 64, 11, 4, 2), relu(), nn.MaxPool2d(3, 2), conv(64, 192, 5, padding=2), relu()]
        steps += [nn.MaxPool2d(3, 2), conv(192, 384, 3, padding=1), relu(), conv(384, 256, 3, padding=1), relu()]
        steps += [conv(256, 256, 3, padding=1), relu()]
        taps = [1, 4, 7, 9, 11]
    else:
        steps, taps, inputs = [], [], 3
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                steps += [conv(inputs, width, 3, padding=1), relu()]
                inputs = width
            taps.append(len(steps) - 1)
            steps.append(nn.MaxPool2d(2))
        steps.pop()
    holder.features = nn.Sequential(*steps)
    return holder, taps


def torch_lpips(holder: nn.Module, taps: list[int], heads: list[np.ndarray], *images: np.ndarray) -> float:
    """The published steps, with torch."""
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    seen = []
    for image in images:
        x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1 - shift) / scale
        maps = []
        for index, layer in enumerate(holder.features):
            x = layer(x)
            maps += [x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)] if index in taps else []
        seen.append(maps)
    heads = [torch.tensor(head).float().view(1, -1, 1, 1) for head in heads]
    return sum(float(((a - b) ** 2 * head).sum(1).mean()) for a, b, head in zip(*seen, heads, strict=True))


def random_model(network: FeatureNetwork) -> tuple[nn.Module, list[int], LpipsModel]:
    torch.manual_seed(0)
    holder, taps = torch_network(network.name)
    for name, value in holder.named_parameters():
        # Kept at one size from layer to layer, so that the last taps are as busy as the first.
        nn.init.kaiming_normal_(value.data) if name.endswith("weight") else nn.init.normal_(value.data, 0, 0.1)
    weights = prepare_weights(network, {name: value.numpy() for name, value in holder.state_dict().items()})
    random = np.random.default_rng(0)
    return holder, taps, LpipsModel(network, weights, tuple(random.random(width) for width in network.channels))


def pair(height: int = 64, width: int = 75) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (height, width, 3), np.uint8)
    return np.clip(truth + random.normal(0, 40, truth.shape), 0, 255).astype(np.uint8), truth


@NETWORKS
@torch.inference_mode()
def test_features_and_distance_agree_with_torch(network: FeatureNetwork) -> None:
    holder, taps, model = random_model(network)
    image, truth = pair()
    x = np.random.default_rng(1).normal(size=(3, 64, 75)).astype(np.float32)
    theirs, y = [], torch.from_numpy(x)[None]
    for index, layer in enumerate(holder.features):
        y = layer(y)
        theirs += [y[0].numpy()] if index in taps else []
    for ours, wanted in zip(extract(network, model.weights, x), theirs, strict=True):
        assert np.abs(ours - wanted).max() <= AGREEMENT * np.abs(wanted).max()
    assert lpips(image, truth, model) == pytest.approx(
        torch_lpips(holder, taps, model.heads, image, truth), rel=AGREEMENT
    )


@NETWORKS
def test_equal_images_are_at_no_distance_and_more_noise_is_farther(network: FeatureNetwork) -> None:
    _, _, model = random_model(network)
    image, truth = pair()
    mild = ((image.astype(int) + 3 * truth.astype(int)) // 4).astype(np.uint8)
    assert lpips(truth, truth, model) == 0
    assert 0 < lpips(mild, truth, model) < lpips(image, truth, model)
    assert lpips(image, truth, model) == lpips(truth, image, model)


@NETWORKS
def test_the_smallest_image_is_what_the_docstring_says(network: FeatureNetwork) -> None:
    _, _, model = random_model(network)
    assert lpips(*pair(31, 31), model) > 0
    with pytest.raises(SettingError, match="too small"):
        lpips(*pair(15, 40), model)


def test_images_of_other_shapes_or_types_are_refused() -> None:
    _, _, model = random_model(FEATURE_NETWORKS[0])
    image, truth = pair()
    with pytest.raises(SettingError, match="one shape"):
        lpips(image, truth[1:], model)
    with pytest.raises(SettingError, match="uint8"):
        lpips(image / 255, truth / 255, model)


def test_files_are_read_and_wrong_ones_are_named(tmp_path: Path) -> None:
    holder, _, model = random_model(FEATURE_NETWORKS[0])
    weights, heads = tmp_path / "squeezenet.pth", tmp_path / "heads.pth"
    torch.save({**holder.state_dict(), "classifier.1.weight": torch.ones(3)}, weights)
    linear = {f"lin{n}.model.1.weight": torch.tensor(head).view(1, -1, 1, 1) for n, head in enumerate(model.heads)}
    torch.save(linear, heads)
    image, truth = pair()
    assert lpips(image, truth, read_lpips("squeeze", weights, heads)) == lpips(image, truth, model)
    with pytest.raises(UnknownNameError, match="'squeeze'"):
        read_lpips("squeez", weights, heads)
    with pytest.raises(ModelFileError, match=r"squeezenet\.pth: .*alexnet"):
        read_lpips("alex", weights, heads)
    with pytest.raises(ModelFileError, match=r"heads\.pth: .*squeezenet1_1"):
        read_lpips("squeeze", heads, heads)
    with pytest.raises(ModelFileError, match="lin0"):
        read_lpips("squeeze", weights, weights)


@pytest.mark.data
@torch.inference_mode()
def test_the_published_squeezenet_agrees_with_torch_and_ranks_enlargements(data_folder: Path) -> None:
    folder = data_folder / "metric-weights"
    model = read_lpips("squeeze", folder / "squeezenet1_1_fp16src.npz", folder / "v0.1__squeeze.pth")
    holder, taps = torch_network("squeeze")
    with np.load(folder / "squeezenet1_1_fp16src.npz") as arrays:
        holder.load_state_dict({k: torch.from_numpy(arrays[k]).float() for k in arrays if k.startswith("features")})
    truth = read_image(data_folder / "benchmarks" / "Set5" / "butterfly_GT.png").pixels[:252, :252]
    values = []
    for scale in (2, 3, 4):
        image = resize_bicubic(downscale(truth, scale), 252, 252)
        values.append(lpips(image, truth, model))
        assert values[-1] == pytest.approx(torch_lpips(holder, taps, model.heads, image, truth), rel=AGREEMENT)
    assert values == sorted(values)
    assert 0.02 < values[0] < values[-1] < 0.5
