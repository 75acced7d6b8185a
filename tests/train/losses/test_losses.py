"""Losses are the formulas that papers print, and the mean over parts of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft
import torch
from torch import Tensor

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.train.losses import LOSSES, make_loss
from pocketsr.train.recipe import LossTerm

#: Relative error of float32 sums against double precision.
FLOAT32 = 1e-5


@pytest.fixture(autouse=True)
def learned_losses(monkeypatch: pytest.MonkeyPatch, vgg19_file: Path, lpips_folder: Path) -> None:
    monkeypatch.setenv("POCKETSR_VGG19", str(vgg19_file))
    monkeypatch.setenv("POCKETSR_METRICS", str(lpips_folder))


def images(*, seed: int = 0, size: tuple[int, int] = (16, 24), count: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.rand(count, 3, *size), torch.rand(count, 3, *size)


def loss(name: str, **options: Any) -> Any:
    return make_loss([LossTerm(name=name, options=options)])


def expected(name: str, output: Any, target: Any, **options: Any) -> float:
    """Return the loss by numpy in double precision."""
    difference = output - target
    if name == "l1":
        return np.abs(difference).mean()
    if name == "l2":
        return (difference**2).mean()
    if name == "charbonnier":
        return np.sqrt(difference**2 + options["epsilon"] ** 2).mean()
    if name == "log-l2":
        return np.mean([np.log((image**2).mean() + options["epsilon"]) for image in difference])
    if name == "dct" and not options["block"]:
        return np.abs(scipy.fft.dctn(difference, axes=(2, 3), norm="ortho")).mean()
    if name == "dct":
        side = options["block"]
        blocks = [
            scipy.fft.dctn(difference[:, :, y : y + side, x : x + side], axes=(2, 3), norm="ortho")
            for y in range(0, difference.shape[2], side)
            for x in range(0, difference.shape[3], side)
        ]
        return np.abs(np.stack(blocks)).mean()
    if name == "fft":
        spectrum = scipy.fft.fft2(difference, norm="ortho")
        return (np.abs(spectrum.real).mean() + np.abs(spectrum.imag).mean()) / 2
    assert name == "tv"
    total = sum(np.abs(np.diff(image, axis=axis)).sum() for image in output for axis in (1, 2)) / len(output)
    return total if options["reduction"] == "sum" else total / output[0].size


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("l1", {}),
        ("l2", {}),
        ("charbonnier", {"epsilon": 0.1}),
        ("log-l2", {"epsilon": 1e-4}),
        ("dct", {"block": 0}),
        ("dct", {"block": 8}),
        ("fft", {}),
        ("tv", {"reduction": "mean"}),
        ("tv", {"reduction": "sum"}),
    ],
)
def test_every_loss_is_its_formula(name: str, options: dict[str, Any]) -> None:
    output, target = images()
    wanted = expected(name, output.double().numpy(), target.double().numpy(), **options)
    assert loss(name, **options)(output, target).item() == pytest.approx(wanted, rel=FLOAT32)


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_over_halves_of_a_batch_is_the_whole(name: str) -> None:
    output, target = images(count=4, size=(32, 32))
    chosen = loss(name)
    halves = (chosen(output[:2], target[:2]) + chosen(output[2:], target[2:])) / 2
    assert chosen(output, target).item() == pytest.approx(halves.item(), rel=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_even_where_nothing_is_wrong(name: str) -> None:
    output, target = images(size=(32, 32))
    for wanted in (target, output.clone()):
        output.grad = None
        loss(name)(output.requires_grad_(), wanted).backward()
        assert output.grad is not None
        assert output.grad.isfinite().all()


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("tv", "log-l2", "charbonnier")])
def test_equal_images_cost_nothing(name: str) -> None:
    output, _ = images(size=(32, 32))
    assert loss(name)(output, output.clone()).item() == 0


@pytest.mark.parametrize("block", [0, 8])
def test_the_dct_keeps_the_sum_of_squares(block: int) -> None:
    # One coefficient of one block: its L1 norm is what its squares sum up to.
    output = torch.zeros(1, 1, 16, 16)
    output[..., :8, :8] = scipy_wave(8, 2, 3)
    coefficients = output.numel()
    if block:
        assert loss("dct", block=block)(output, torch.zeros_like(output)).item() == pytest.approx(1 / coefficients)
    else:
        norm = output.square().sum().sqrt().item()
        found = loss("dct")(output, torch.zeros_like(output)).item() * coefficients
        assert norm <= found <= norm * coefficients**0.5


def scipy_wave(side: int, row: int, column: int) -> Tensor:
    spectrum = np.zeros((side, side))
    spectrum[row, column] = 1
    return torch.from_numpy(scipy.fft.idctn(spectrum, norm="ortho")).float()


def test_terms_are_weighted_and_summed() -> None:
    output, target = images()
    terms = [LossTerm(name="l1", weight=2.0), LossTerm(name="tv", weight=0.5)]
    parts = make_loss(terms).terms(output, target)
    assert parts["l1"].item() == pytest.approx(2 * loss("l1")(output, target).item())
    assert make_loss(terms)(output, target).item() == pytest.approx(sum(part.item() for part in parts.values()))


def test_total_variation_sees_neither_brightness_nor_the_target() -> None:
    output, target = images()
    assert loss("tv")(output + 0.3, target).item() == pytest.approx(loss("tv")(output, output).item(), rel=FLOAT32)


def test_one_log_l2_weighs_an_easy_image_as_a_hard_one() -> None:
    _, target = images()
    output = target + torch.tensor([0.2, 0.02])[:, None, None, None]
    better = [output.clone(), output.clone()]
    for index, one in enumerate(better):
        one[index] = target[index] + (output[index] - target[index]) / 2
    first, second = (loss("log-l2", epsilon=1e-9)(one, target).item() for one in better)
    assert first == pytest.approx(second, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("charbonnier", {"epsilon": 0}, "epsilon must be above 0"),
        ("log-l2", {"epsilon": -1}, "epsilon must be above 0"),
        ("dct", {"block": -1}, "block must be 0 or more"),
        ("tv", {"reduction": "max"}, "mean or sum, not 'max'"),
        ("l1", {"epsilon": 1}, "its options: none"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        loss(name, **options)


def test_what_cannot_be_summed_or_cut_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown loss 'l3'"):
        loss("l3")
    with pytest.raises(SettingError, match="each loss can be a term once"):
        make_loss([LossTerm(name="l1"), LossTerm(name="l1")])
    with pytest.raises(SettingError, match="16×24 cannot be cut into blocks of 5×5"):
        loss("dct", block=5)(*images())
