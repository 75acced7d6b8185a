"""Half precision: near the float network, and why the spectrum stays in float32."""

from __future__ import annotations

import pytest
import torch

from pocketsr.blocks import Network
from pocketsr.blocks.fourier import FourierUnit
from pocketsr.compress.half import HalfNetwork
from pocketsr.errors import SettingError
from pocketsr.networks import build


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return build("f2srgan", {"scale": 2, "width": 16, "depth": 2}).eval()


def image(height: int = 17, width: int = 14) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_half_is_near_float_and_keeps_the_spectrum_in_float32(network: Network) -> None:
    half = HalfNetwork(network)
    kinds = {type(module).__name__: module for module in half.modules()}
    assert kinds["FourierUnit"].weight.dtype == torch.float32
    assert kinds["Conv2d"].weight.dtype == torch.float16
    output = half(image())
    assert output.dtype == torch.float32
    assert 0 < (output - network(image())).abs().max() < 0.01
    assert next(network.parameters()).dtype == torch.float32, "the network given is left as it was"


@torch.no_grad()
def test_a_spectrum_overflows_float16_without_normalisation_and_not_with_it() -> None:
    halves = torch.full((1080, 1080), 0.5)
    plain, ortho = torch.fft.rfft2(halves)[0, 0].real, torch.fft.rfft2(halves, norm="ortho")[0, 0].real
    assert plain == pytest.approx(583_200)  # the paper's figure
    assert torch.isinf(plain.half())
    assert ortho.half() == pytest.approx(540)  # what the network really computes


@torch.no_grad()
def test_a_unit_with_its_spectrum_in_float16_loses_precision() -> None:
    torch.manual_seed(0)
    unit, x = FourierUnit(4), 200 + torch.randn(1, 4, 64, 64)
    exact = unit(x)
    spectrum = torch.fft.rfft2(x, norm="ortho")
    coarse = torch.complex(spectrum.real.half().float(), spectrum.imag.half().float())
    matrix = torch.roll(torch.view_as_complex(unit.weight.contiguous()), (-2, -2), (0, 1))
    made = torch.fft.irfft2(torch.einsum("oi,nihw->nohw", matrix, coarse), s=(64, 64), norm="ortho")
    signal = exact - exact.mean(dim=(2, 3), keepdim=True)
    assert (made - exact).std() > 1e-5 * signal.std()
    torch.testing.assert_close(unit(x.half()).float(), exact, atol=0.1, rtol=0.01)  # cast at the ends only


def test_weights_that_float16_cannot_hold_are_refused() -> None:
    spoilt = build("abpn", {"scale": 2, "width": 4})
    with torch.no_grad():
        spoilt.head.weight.fill_(1e6)
    with pytest.raises(SettingError, match=r"head.weight reaches 1e.06; float16 ends at 65504"):
        HalfNetwork(spoilt)


def test_the_part_that_overflows_is_named() -> None:
    torch.manual_seed(0)
    loud = build("abpn", {"scale": 2, "width": 4})
    assert HalfNetwork(loud).first_overflow(image()) is None
    with torch.no_grad():
        loud.body[1].bias.fill_(6e4)
        loud.body[2].weight.fill_(1.0)
    half = HalfNetwork(loud)
    assert half.first_overflow(image()) == "body.2"
    assert not torch.isfinite(half(image())).all(), "what overflows can be seen in the output"
