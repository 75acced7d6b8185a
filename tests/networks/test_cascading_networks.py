"""CARN, PCARN and the Fourier generators are those of their papers and of the authors' checkpoints."""

from __future__ import annotations

import pytest
import torch

from pocketsr.blocks import FourierConv2d, FourierUnit
from pocketsr.errors import SettingError
from pocketsr.networks import build
from pocketsr.networks.carn import CARN
from pocketsr.networks.f2srgan import F2SRGAN


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# -- CARN and PCARN ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local_cascade", "global_cascade", "parameters"),
    [(False, False, 963_651), (True, False, 1_074_819), (False, True, 1_000_707), (True, True, 1_111_875)],
)
def test_the_ablation_of_cascades_has_the_parameters_of_table_1(
    local_cascade: bool, global_cascade: bool, parameters: int
) -> None:
    assert count(CARN(scale=4, local_cascade=local_cascade, global_cascade=global_cascade)) == parameters


def test_carn_and_pcarn_differ_in_no_parameter_but_in_what_they_compute() -> None:
    torch.manual_seed(0)
    carn, pcarn = build("carn", {"scale": 2}), build("pcarn", {"scale": 2})
    carn.load_state_dict(pcarn.state_dict())
    image = torch.rand(1, 3, 6, 6)
    assert not torch.allclose(carn(image), pcarn(image))


def test_one_network_upscales_by_three_scales() -> None:
    network = build("pcarn-m", {"scale": 3, "scales": [2, 3, 4]}).eval()
    image = torch.rand(1, 3, 5, 6)
    for scale in (4, 2, 3):
        network.scale = scale
        assert network(image).shape == (1, 3, 5 * scale, 6 * scale)
    with pytest.raises(SettingError, match="upscales by 2, 3, 4, not by 8"):
        network.scale = 8


def test_recursion_shares_the_block_and_not_the_fusions() -> None:
    cascade = CARN(scale=2, groups=4, recursive=True).body.blocks[0]
    assert len(cascade.blocks) == 1
    assert len(cascade.fusions) == 3


@pytest.mark.parametrize("groups", [1, 2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("recursive", [True, False])
def test_every_point_of_the_efficiency_grid_runs(groups: int, recursive: bool) -> None:
    assert CARN(scale=2, groups=groups, recursive=recursive)(torch.rand(1, 3, 4, 4)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("initialisation", "deviation"),
    [
        ("uniform", (1 / 3) ** 0.5),
        ("uniform-6", 2**0.5),
        ("normal", 2**0.5),
        ("uniform-tenth", (1 / 3) ** 0.5 / 10),
        ("uniform-6-tenth", 2**0.5 / 10),
        ("normal-tenth", 2**0.5 / 10),
    ],
)
def test_table_3_s_initialisations_have_their_deviation(initialisation: str, deviation: float) -> None:
    torch.manual_seed(0)
    weight = CARN(scale=2, initialisation=initialisation).upsamplers["2"].convs[0].weight
    assert weight.std().item() == pytest.approx(deviation / (64 * 9) ** 0.5, rel=0.02)


# -- F2SRGAN ----------------------------------------------------------------------------------------------------------


def test_every_other_block_of_the_teacher_is_a_fourier_convolution() -> None:
    kinds = [isinstance(block.first, FourierConv2d) for block in F2SRGAN(scale=4).body]
    assert kinds == [True, False] * 8


def test_the_tied_student_runs_its_second_pair_three_times() -> None:
    assert build("f2srgan-student", {}).order == [0, 1, 2, 3, 2, 3, 2, 3]
    untied = build("f2srgan-student", {"tied": False})
    assert untied.order == list(range(8))
    assert count(untied) == 113_145 - 24


def test_light_keeps_the_trunk_and_prunes_inside_the_blocks() -> None:
    light = build("f2srgan-light", {})
    assert light.body[0].activation.num_parameters == 1
    assert light.head.pointwise.out_channels == 64


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (2, 3)])
def test_a_fourier_unit_is_the_shifted_transform_of_the_authors(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    unit = FourierUnit(8)
    x = torch.randn(1, 8, *size)
    weight = torch.view_as_complex(unit.weight.detach())[:, :, None, None]
    spectrum = torch.fft.fftshift(torch.fft.rfft2(x, norm="ortho"))
    mixed = torch.fft.ifftshift(torch.nn.functional.conv2d(spectrum, weight))
    expected = torch.fft.irfft2(mixed, s=size, norm="ortho")
    assert torch.allclose(unit(x), expected, atol=1e-5)
    assert not torch.allclose(FourierUnit(8, rolled=False)(x), expected, atol=1e-2)


def test_a_fourier_convolution_sees_the_whole_image() -> None:
    torch.manual_seed(0)
    block = FourierConv2d(32)
    with torch.no_grad():
        for unit in (block.global_to_global.whole, block.global_to_global.quadrants):
            unit.weight.normal_()
    x = torch.randn(1, 32, 12, 13)
    moved = x.clone()
    moved[0, :, 0, 0] += 10
    assert ((block(x) - block(moved)).abs().amax(dim=1) > 0).float().mean() > 0.9


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pcarn", {"scales": [2, 5]}, "by 2, 3 or 4, not 2, 5"),
        ("pcarn", {"scale": 3, "scales": [2, 4]}, "upscales by 2, 4, not by 3"),
        ("pcarn", {"groups": 5}, "divide its width of 64"),
        ("pcarn", {"initialisation": "he"}, "uniform-6"),
        ("f2srgan", {"scale": 3}, "by 2 or 4"),
        ("f2srgan", {"inner": 8}, "no inner"),
        ("f2srgan-student", {"depth": 5}, "even depth"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build(name, options)
