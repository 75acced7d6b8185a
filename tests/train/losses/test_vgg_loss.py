"""VGG-19 as torchvision names it, from a file or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from pocketsr.errors import CheckpointError, SettingError
from pocketsr.train.losses.perceptual import VGG, features_up_to

#: torchvision's numbers of VGG-19's convolutions, from its vgg19 key list.
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


def image(seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return torch.rand(1, 3, 32, 32)


def test_layers_have_torchvision_s_numbers() -> None:
    layers = features_up_to("conv5_4", relu=True)
    assert tuple(i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)) == CONVOLUTIONS
    assert [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)] == [4, 9, 18, 27]
    assert len(features_up_to("conv5_4", relu=False)) == 35  # the public code's features[:35]
    assert sum(parameter.numel() for parameter in layers.parameters()) == 20_024_384


def test_features_are_those_of_the_file(vgg19_file: Path) -> None:
    state = torch.load(vgg19_file, weights_only=True)
    x = (image() - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    for number in (0, 2):
        x = F.relu(F.conv2d(x, state[f"features.{number}.weight"], state[f"features.{number}.bias"], padding=1))
    x = F.conv2d(F.max_pool2d(x, 2), state["features.5.weight"], state["features.5.bias"], padding=1)
    loss = VGG(layer="conv2_1", weights=str(vgg19_file), factor=0.5)
    other = image(1)
    assert torch.allclose(loss._see(image()), 0.5 * x, atol=1e-6)
    assert torch.allclose(loss(other, image()), (loss._see(other) - 0.5 * x).square().mean(), rtol=1e-5)


def test_readings_differ(vgg19_file: Path) -> None:
    def value(**options: object) -> float:
        return VGG(layer="conv2_2", weights=str(vgg19_file), **options)(image(), image(1)).item()  # type: ignore[arg-type]

    values = [value(), value(relu=True), value(imagenet=False), value(distance="l1"), value(factor=1 / 12.75)]
    assert len({f"{one:.6g}" for one in values}) == 5
    assert values[4] == pytest.approx(values[0] / 12.75**2, rel=1e-4)


def test_nothing_in_it_is_trained_and_only_the_output_learns(vgg19_file: Path) -> None:
    loss = VGG(layer="conv1_2", weights=str(vgg19_file))
    output, target = image().requires_grad_(), image(1).requires_grad_()
    loss(output, target).backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert target.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_luma_is_seen_as_grey(vgg19_file: Path) -> None:
    loss = VGG(layer="conv1_1", weights=str(vgg19_file))
    grey, other = image()[:, :1], image(1)[:, :1]
    assert torch.equal(loss(grey, other), loss(grey.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))


def test_weights_come_from_safetensors_and_bare_keys_too(vgg19_file: Path, tmp_path: Path) -> None:
    state = torch.load(vgg19_file, weights_only=True)
    bare = {key.removeprefix("features."): value for key, value in state.items()}
    save_file(bare, tmp_path / "vgg.safetensors")
    one, other = (VGG(layer="conv1_2", weights=str(file)) for file in (vgg19_file, tmp_path / "vgg.safetensors"))
    assert torch.equal(one(image(), image(1)), other(image(), image(1)))


def test_missing_weights_are_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCKETSR_VGG19", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(SettingError, match=r"install torchvision.* POCKETSR_VGG19"):
        VGG(layer="conv1_1")
    monkeypatch.setenv("POCKETSR_VGG19", str(tmp_path / "none.pth"))
    with pytest.raises(SettingError, match=r"no file .*none\.pth"):
        VGG(layer="conv1_1")


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "vgg.pth"
    file.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        VGG(layer="conv1_1", weights=str(file))
    torch.save({"features.0.weight": torch.zeros(64, 3, 5, 5)}, file)
    with pytest.raises(CheckpointError, match=r"is not VGG-19: features\.0\.weight"):
        VGG(layer="conv1_1", weights=str(file))
    torch.save([1], file)
    with pytest.raises(CheckpointError, match="no table of weights"):
        VGG(layer="conv1_1", weights=str(file))


@pytest.mark.parametrize(
    "options", [{"layer": "conv6_1"}, {"layer": "conv1_3"}, {"layer": "relu5_4"}, {"distance": "l3"}]
)
def test_layers_and_distances_that_do_not_exist_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="loss 'vgg'"):
        VGG(**options)  # type: ignore[arg-type]
