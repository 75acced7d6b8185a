"""LPIPS as a loss: the measure's value, with a gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pocketsr.errors import SettingError
from pocketsr.evaluate.perceptual import lpips, read_lpips
from pocketsr.evaluate.perceptual.features import FEATURE_NETWORKS, SQUEEZENET, FeatureNetwork
from pocketsr.train.losses.lpips import LPIPS, unit
from sample_features import FILES, write_lpips_files


def image(seed: int, count: int = 1, channels: int = 3) -> Tensor:
    levels = np.random.default_rng(seed).integers(0, 256, (count, channels, 48, 40), np.uint8)
    return torch.from_numpy(levels).float() / 255


@pytest.mark.parametrize("network", FEATURE_NETWORKS, ids=lambda network: network.name)
def test_its_value_is_the_measure_s(network: FeatureNetwork, tmp_path: Path) -> None:
    write_lpips_files(tmp_path, network)
    loss = LPIPS(network=network.name, folder=str(tmp_path))
    model = read_lpips(network.name, tmp_path / f"{FILES[network.name]}.npz", tmp_path / f"v0.1__{network.name}.pth")
    images, truths = image(0, 2), image(1, 2)
    pixels = [(each.permute(0, 2, 3, 1) * 255).round().byte().numpy() for each in (images, truths)]
    wanted = np.mean([lpips(one, truth, model) for one, truth in zip(*pixels, strict=True)])
    assert loss(images, truths).item() == pytest.approx(wanted, rel=1e-4)


def test_equal_images_are_at_distance_zero_and_pull_nowhere(lpips_folder: Path) -> None:
    output = image(0).requires_grad_()
    value = LPIPS(folder=str(lpips_folder))(output, image(0))
    value.backward()
    assert value.item() == 0
    assert output.grad is not None
    assert output.grad.abs().max() == 0


def test_where_nothing_responds_the_gradient_is_bounded() -> None:
    features = torch.zeros(1, 4, 2, 2, requires_grad=True)
    unit(features).sum().backward()
    assert features.grad is not None
    assert features.grad.abs().max() < 1e5


def test_a_step_along_the_gradient_comes_nearer_and_only_the_output_learns(lpips_folder: Path) -> None:
    loss = LPIPS(folder=str(lpips_folder))
    output, target = image(0).requires_grad_(), image(1).requires_grad_()
    before = loss(output, target)
    before.backward()
    assert output.grad is not None
    assert target.grad is None
    assert not [*loss.parameters()]
    with torch.no_grad():
        assert loss(output - 1e-2 * output.grad / output.grad.abs().max(), target) < before


def test_luma_is_seen_as_grey(lpips_folder: Path) -> None:
    loss, grey, other = LPIPS(folder=str(lpips_folder)), image(0, channels=1), image(1, channels=1)
    assert torch.equal(loss(grey, other), loss(grey.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETSR_METRICS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SettingError, match=r"loss 'lpips'.* squeezenet1_1"):
        LPIPS()
    write_lpips_files(tmp_path, SQUEEZENET)
    assert LPIPS()(image(0), image(1)) > 0
    with pytest.raises(SettingError, match="network is one of squeeze, alex, vgg, not 'resnet'"):
        LPIPS(network="resnet")
