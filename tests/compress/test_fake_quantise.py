"""The paper's 16-bit integers: near the float network, trainable, and after every ReLU however it is written."""

from __future__ import annotations

import pytest
import torch

from pocketsr.compress.fake_quantise import FakeQuantised, rounded_to_range
from pocketsr.errors import SettingError
from pocketsr.networks import build


def image(height: int = 17, width: int = 14) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_rounding_to_a_range_by_hand() -> None:
    x = torch.tensor([-1.0, -0.3, 0.0, 0.2, 2.0], requires_grad=True)
    made = rounded_to_range(x, torch.tensor(-1.0), torch.tensor(2.0), 2)  # steps of 1
    assert made.detach().tolist() == [-1, 0, 0, 0, 2]
    made.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1] * 5


@pytest.mark.parametrize(("bits", "bound"), [(16, 2e-3), (8, 0.2)])
def test_fewer_bits_are_farther_away(bits: int, bound: float) -> None:
    torch.manual_seed(0)
    student = build("f2srgan-student", {"scale": 2, "width": 16})
    fake = FakeQuantised(student, bits=bits).train()
    with torch.no_grad():
        fake(image())  # ranges
        difference = (fake.eval()(image()) - student.eval()(image())).abs().max()
    assert 0 < difference < bound


def test_fake_quantisation_trains_and_its_ranges_never_shrink() -> None:
    torch.manual_seed(0)
    fake = FakeQuantised(build("f2srgan-student", {"scale": 2, "width": 8}), bits=8).train()
    optimiser = torch.optim.Adam(fake.parameters(), 1e-3)
    before = [parameter.detach().clone() for parameter in fake.parameters()]
    fake(image()).square().mean().backward()
    optimiser.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, fake.parameters(), strict=True))
    highs = {name: float(value) for name, value in fake.named_buffers() if name.endswith("high")}
    assert highs
    assert max(highs.values()) > 0
    with torch.no_grad():
        fake(image() * 0)
    after = {name: float(value) for name, value in fake.named_buffers() if name.endswith("high")}
    assert all(after[name] >= value for name, value in highs.items())


@pytest.mark.parametrize("bits", [1, 17])
def test_bits_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(SettingError, match="2 to 16 bits"):
        FakeQuantised(build("abpn", {}), bits=bits)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "options", "places"),
    [
        ("abpn", {"scale": 2, "width": 4, "depth": 2}, 4),  # functions: head, two of the body, tail
        ("sesr", {"scale": 2, "activation": "relu"}, None),  # modules
        ("f2srgan", {"scale": 2, "width": 16, "depth": 3}, 2),  # one in each Fourier convolution, beside PReLU
    ],
)
def test_every_relu_is_rounded_whether_module_or_function(
    name: str, options: dict[str, object], places: int | None
) -> None:
    torch.manual_seed(0)
    fake = FakeQuantised(build(name, options), bits=4).train()
    assert len(fake.after_relu) == (places or len(fake.after_relu)) > 0
    fake(image())
    assert all(float(one.high) > 0 for one in fake.after_relu)
    fine = FakeQuantised(build(name, options), bits=16)
    fine.inside.load_state_dict(fake.inside.state_dict())  # the ranges after PReLU too
    exact = fine.eval()(image())  # nothing was seen after ReLU yet: only weights are rounded
    fine.train()(image())
    assert not torch.equal(fine.eval()(image()), exact)


@torch.no_grad()
def test_ranges_are_part_of_the_saved_state() -> None:
    torch.manual_seed(0)
    network = build("abpn", {"scale": 2, "width": 4, "depth": 2})
    fake, other = FakeQuantised(network, bits=4), FakeQuantised(network, bits=4)
    fake.train()(image())
    other.load_state_dict(fake.state_dict())
    assert torch.equal(fake.eval()(image()), other.eval()(image()))
