"""SOAP is Adam in another basis, and a better one where weights pull on one another."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pocketsr.errors import SettingError
from pocketsr.train.soap import SOAP

#: Two ways of the same arithmetic in float32.
ROUNDING = 1e-6


def run(optimiser: torch.optim.Optimizer, parameter: Tensor, loss: Callable[[Tensor], Tensor], steps: int) -> float:
    for _ in range(steps):
        optimiser.zero_grad()
        loss(parameter).backward()
        optimiser.step()
    return loss(parameter).item()


def skewed(size: int = 12) -> Callable[[Tensor], Tensor]:
    """Return a quadratic whose axes lie across the weights, a thousand times steeper along one than along another."""
    torch.manual_seed(1)
    turn = torch.linalg.qr(torch.randn(size, size))[0]
    steepness, goal = torch.logspace(0, -3, size), torch.randn(size, size)
    return lambda matrix: ((turn @ (matrix - goal)).square() * steepness[:, None]).sum()


def test_without_bases_it_is_adam() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(3, 4), torch.randn(6, 3, 4)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    soap = SOAP([ours], lr=1e-2, largest=1, eps=1e-8)
    adam = torch.optim.Adam([theirs], lr=1e-2)
    ours.grad = torch.randn(3, 4)
    soap.step()  # the first gradient sets the bases and moves nothing
    assert torch.equal(ours, start)
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        soap.step()
        adam.step()
    assert torch.allclose(ours, theirs, atol=ROUNDING)


def test_scalars_vectors_and_complex_numbers_get_adam() -> None:
    vector, number = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2, dtype=torch.complex64))
    scalar = nn.Parameter(torch.tensor(1.0))
    soap = SOAP([vector, number, scalar], lr=0.1)
    vector.grad, number.grad = torch.tensor([1.0, -5.0, 0.1]), torch.full((2, 2), 3 - 4j)
    scalar.grad = torch.tensor(0.01)
    soap.step()
    assert scalar.item() == pytest.approx(0.9)
    assert torch.allclose(vector, torch.tensor([-0.1, 0.1, -0.1]))  # Adam's first step is lr along each sign
    assert torch.allclose(number, torch.full((2, 2), -0.1 + 0.1j))


def test_it_goes_further_than_adam_on_a_valley_across_the_weights() -> None:
    loss, start = skewed(), torch.zeros(12, 12)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    reached = run(SOAP([ours], lr=3e-2), ours, loss, 600)
    assert reached < 0.01 * run(torch.optim.Adam([theirs], lr=3e-2), theirs, loss, 600)


def test_bases_are_the_eigenvectors_of_what_gradients_look_like() -> None:
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(4, 6, 3, 3))
    soap = SOAP([parameter], basis_beta=0.0, basis_every=1)
    kernel = torch.randn(4, 6, 3, 3)
    for _ in range(60):  # orthogonal iteration on the same gradient comes to its singular vectors
        parameter.grad = kernel
        soap.step()
    state = soap.state[parameter]
    turned = state["left_basis"].T @ kernel.flatten(1) @ state["right_basis"]
    singular = torch.linalg.svdvals(kernel.flatten(1))
    assert torch.allclose(turned[:, :4].diag().abs(), singular, rtol=1e-3)
    assert (turned - torch.nn.functional.pad(turned[:, :4].diag().diag(), (0, 50))).abs().max() < 1e-2 * singular[0]


def test_a_resumed_optimiser_takes_the_same_steps() -> None:
    loss, parameter = skewed(), nn.Parameter(torch.zeros(12, 12))
    soap = SOAP([parameter], lr=1e-2)
    run(soap, parameter, loss, 25)
    other = nn.Parameter(parameter.detach().clone())
    again = SOAP([other], lr=1e-2)
    again.load_state_dict(copy.deepcopy(soap.state_dict()))
    run(soap, parameter, loss, 25)
    run(again, other, loss, 25)
    assert torch.equal(parameter, other)


@pytest.mark.parametrize("options", [{"betas": (1.0, 0.9)}, {"basis_every": 0}, {"basis_beta": -0.1}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="SOAP's"):
        SOAP([nn.Parameter(torch.zeros(2, 2))], **options)  # type: ignore[arg-type]
