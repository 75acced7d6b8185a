"""CARN, PCARN and the Fourier generators are those of their papers and of the authors' checkpoints."""

from __future__ import annotations

import pytest
import torch

from pocketsr.blocks import Cascade, FourierConv2d, FourierUnit
from pocketsr.blocks.mean_shift import DIV2K_MEAN
from pocketsr.errors import SettingError
from pocketsr.networks import build
from pocketsr.networks.carn import CARN, ResidualBlock
from pocketsr.networks.f2srgan import F2SRGAN

#: Of 0..1; bfloat16, which keeps 8 bits, differs by 0.0015.
HALF_TOLERANCE = 0.005


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


@pytest.mark.parametrize("name", ["carn", "pcarn-m", "f2srgan-light"])
def test_a_silent_last_layer_leaves_the_mean_which_is_neither_trained_nor_saved(name: str) -> None:
    network = build(name, {"scale": 2})
    for parameter in network.tail.parameters():
        torch.nn.init.zeros_(parameter)
    expected = torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1).expand(1, 3, 8, 10)
    assert torch.allclose(network(torch.rand(1, 3, 4, 5)), expected, atol=1e-6)
    assert not any("mean" in key for key in network.state_dict())


def test_a_cascade_keeps_what_blocks_give_and_not_what_fusions_make_of_it() -> None:
    cascade = Cascade(1, 2, lambda: torch.nn.Conv2d(1, 1, 1, bias=False))
    for block, fusion in zip(cascade.blocks, cascade.fusions, strict=True):
        torch.nn.init.constant_(block.weight, 2.0)
        torch.nn.init.ones_(fusion.weight)
        torch.nn.init.zeros_(fusion.bias)
    # 1 is doubled to 2 and fused to 1 + 2 = 3; that is doubled to 6 and fused to 1 + 2 + 6, with 2 and not 3.
    assert cascade(torch.ones(1, 1, 1, 1)).item() == 9


@pytest.mark.parametrize(("fusion_relu", "lowest"), [(True, 0.0), (False, -1.0)])
def test_only_carn_has_a_relu_after_every_fusion(fusion_relu: bool, lowest: float) -> None:
    body = CARN(scale=2, fusion_relu=fusion_relu).body
    for cascade in (body, *body.blocks):
        for fusion in cascade.fusions:
            torch.nn.init.zeros_(fusion.weight)
            torch.nn.init.constant_(fusion.bias, -1.0)
        assert cascade(torch.rand(1, 64, 3, 3)).min() == lowest


def test_the_long_skip_is_all_that_reaches_the_upsampler_of_a_silent_body() -> None:
    network = CARN(scale=2)
    for parameter in network.body.fusions[-1].parameters():
        torch.nn.init.zeros_(parameter)
    image = torch.rand(1, 3, 5, 6)
    first = network.head(network.mean.subtract(image))
    assert torch.allclose(network(image), network.mean.add(network.tail(network.upsamplers["2"](first))), atol=1e-6)


@pytest.mark.parametrize("groups", [1, 4])
def test_a_silent_residual_block_passes_what_is_positive_or_without_its_addition_nothing(groups: int) -> None:
    x = torch.randn(1, 64, 4, 4)
    for residual, expected in ((True, x.relu()), (False, torch.zeros_like(x))):
        block = ResidualBlock(64, groups=groups, residual=residual)
        for parameter in block.parameters():
            torch.nn.init.zeros_(parameter)
        assert torch.equal(block(x), expected)


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_teacher_runs_in_half_precision_with_its_spectra_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = F2SRGAN(scale=2, depth=2).eval()
    image = torch.rand(1, 3, 8, 9)
    expected = network(image)
    output = network.to(dtype)(image.to(dtype))
    assert output.dtype == dtype
    assert torch.allclose(output.float(), expected, atol=HALF_TOLERANCE)


def test_the_teacher_is_traced_for_images_of_any_size() -> None:
    torch.manual_seed(0)
    network = F2SRGAN(scale=2, depth=2).eval()
    traced = torch.fx.symbolic_trace(network.folded())
    for size in ((9, 12), (6, 7)):
        image = torch.rand(1, 3, *size)
        assert torch.equal(traced(image), network(image))


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
        ("pcarn", {"width": 0}, "width and a depth of 1 or more, not 0 and 3"),
        ("pcarn", {"depth": -1}, "width and a depth of 1 or more, not 64 and -1"),
        ("pcarn", {"groups": 0}, "divide its width of 64"),
        ("f2srgan", {"scale": 3}, "by 2 or 4"),
        ("f2srgan", {"depth": 0}, "depth of 1 or more"),
        ("f2srgan-light", {"inner": 0}, "1 or more, not 64, 0 and 8"),
        ("f2srgan", {"inner": 8}, "no inner"),
        ("f2srgan-student", {"depth": 5}, "even depth"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build(name, options)
