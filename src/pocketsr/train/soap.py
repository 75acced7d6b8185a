"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

    G (out × in·k²)      L ← β L + (1 − β) G Gᵀ,  R ← β R + (1 − β) Gᵀ G      what gradients look like, on either side
    G' = Qᵀ_L G Q_R      Q_L, Q_R: eigenvectors of L and R, brought up to date every few steps
    step = Q_L · Adam(G') · Qᵀ_R

Adam scales each weight by itself; in this basis what it scales is nearly uncorrelated, and a step goes further. Kernels
of small networks are small matrices (28 × 252 in ABPN), so that the eigenvectors cost a few percent of a training step.

Source:
    Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, Algorithm 3. Kernels are taken as matrices
    of outputs by everything else. The first gradient only sets the bases, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from pocketsr.errors import SettingError


class SOAP(torch.optim.Optimizer):
    """Adam in a slowly turning basis.

    Args:
        params: Parameters or groups of them. Those of less than two dimensions, and complex ones, get plain Adam.
        lr: Step size; three times Adam's is a good beginning.
        betas: Averaging factors of gradients and of their squares.
        eps: Added to the root of the squares.
        basis_beta: Averaging factor β of L and R.
        basis_every: Steps between updates of the eigenvectors, by one step of orthogonal iteration.
        largest: Sides of a matrix longer than this keep the standard basis: their eigenvectors would cost too much.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        basis_beta: float = 0.95,
        basis_every: int = 10,
        largest: int = 2048,
    ) -> None:
        if not all(0 <= beta < 1 for beta in (*betas, basis_beta)):
            raise SettingError(f"SOAP's averaging factors are at least 0 and below 1, not {betas} and {basis_beta}")
        if basis_every < 1 or largest < 1:
            raise SettingError(f"SOAP's basis_every and largest are 1 or more, not {basis_every} and {largest}")
        settings = {"lr": lr, "betas": betas, "eps": eps}
        super().__init__(params, {**settings, "basis_beta": basis_beta, "basis_every": basis_every, "largest": largest})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that the parameters hold."""
        if closure is not None:
            raise SettingError("SOAP takes no closure; compute gradients, then call step()")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group)

    def _step(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        gradient, value = parameter.grad, parameter
        assert gradient is not None
        if parameter.is_complex():
            gradient, value = torch.view_as_real(gradient), torch.view_as_real(parameter)
        matrix = gradient.flatten(1) if parameter.ndim > 1 and not parameter.is_complex() else gradient.reshape(1, -1)
        if not state:
            state.update(step=0, mean=torch.zeros_like(matrix), square=torch.zeros_like(matrix))
            if parameter.ndim > 1 and not parameter.is_complex():
                _begin_bases(state, matrix, group["largest"])
                return
        state["step"] += 1
        first, second = group["betas"]
        turned = _turn(state, matrix)
        state["mean"].lerp_(matrix, 1 - first)
        state["square"].mul_(second).addcmul_(turned, turned, value=1 - second)
        mean = _turn(state, state["mean"]) / (1 - first ** state["step"])
        root = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        value.add_(_turn_back(state, mean.div_(root)).view_as(value), alpha=-group["lr"])
        for side in ("left", "right"):
            if side in state:
                state[side].lerp_(_outer(matrix, side), 1 - group["basis_beta"])
                if state["step"] % group["basis_every"] == 0:
                    _update_basis(state, side)


def _outer(matrix: Tensor, side: str) -> Tensor:
    return matrix @ matrix.T if side == "left" else matrix.T @ matrix


def _begin_bases(state: dict[str, Any], matrix: Tensor, largest: int) -> None:
    for side, length in zip(("left", "right"), matrix.shape, strict=True):
        if length <= largest:
            state[side] = _outer(matrix, side)
            state[f"{side}_basis"] = torch.linalg.eigh(state[side])[1].flip(1)


def _turn(state: dict[str, Any], matrix: Tensor) -> Tensor:
    """Return a matrix in the bases: Qᵀ_L M Q_R."""
    if "left_basis" in state:
        matrix = state["left_basis"].T @ matrix
    return matrix @ state["right_basis"] if "right_basis" in state else matrix.clone()


def _turn_back(state: dict[str, Any], matrix: Tensor) -> Tensor:
    if "left_basis" in state:
        matrix = state["left_basis"] @ matrix
    return matrix @ state["right_basis"].T if "right_basis" in state else matrix


def _update_basis(state: dict[str, Any], side: str) -> None:
    """Bring eigenvectors up to date by one step of orthogonal iteration, the largest eigenvalue first."""
    basis = state[f"{side}_basis"]
    image = state[side] @ basis
    order = (basis * image).sum(dim=0).argsort(descending=True, stable=True)
    state["square"] = state["square"][order] if side == "left" else state["square"][:, order]
    state[f"{side}_basis"] = torch.linalg.qr(image[:, order])[0].contiguous()
