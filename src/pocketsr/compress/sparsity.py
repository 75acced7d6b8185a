"""Group sparsity: training pushes whole channels towards zero, so that pruning them later costs little.

    gradient of each weight  +=  weight · γ_k · w / ‖w_k‖        γ_k = 2^(4 · (largest − ‖w_k‖) / (largest − smallest))

w_k are all weights that channel k of a group would take with it. Weak channels are pushed up to 16 times harder than
strong ones, so that they part.

Source:
    Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023, equation 11, with α = 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pocketsr.blocks import Network
from pocketsr.compress.coupling import Coupled, coupled_groups
from pocketsr.errors import SettingError

_ALPHA = 4.0


class GroupSparsity:
    """Adds the penalty's gradient to a network's.

    Args:
        network: Trained without RepConv: a folded one, whose channels are what pruning takes out.
        weight: Of the penalty.

    Raises:
        SettingError: The network still has parts to fold, or no channels that can be pruned.
        MissingExtraError: torch-pruning is not installed.
    """

    def __init__(self, network: Network, weight: float) -> None:
        if network.folded().state_dict().keys() != network.state_dict().keys():
            raise SettingError("sparsity needs a network without RepConv: fold it first")
        self._groups = [_Group(group) for group in coupled_groups(network)]
        if not self._groups:
            raise SettingError(f"{type(network).__name__} has no channels that could become sparse")
        self._weight = weight

    @torch.no_grad()
    def penalty(self) -> float:
        """Return Σ γ_k ‖w_k‖ over all channels of all groups, times the weight."""
        norms = [group.norms() for group in self._groups]
        return self._weight * sum(float((_gamma(norm) * norm).sum()) for norm in norms)

    @torch.no_grad()
    def __call__(self) -> None:
        """Add to the gradients that are there."""
        for group in self._groups:
            norm = group.norms()
            push = self._weight * _gamma(norm) / norm.clamp_min(1e-8)
            for parameter, axis, places, channels in group.slices:
                if parameter.grad is None:
                    continue
                factor = push.new_zeros(parameter.shape[axis])
                factor[places] = push[channels]
                shape = [1] * parameter.ndim
                shape[axis] = -1
                parameter.grad.add_(parameter * factor.reshape(shape))


class _Group:
    """Where the weights of a group's channels are, on the device that the weights are on."""

    def __init__(self, group: Coupled) -> None:
        self.width = group.width
        self.slices = [
            (parameter, axis, places.to(parameter.device), channels.to(parameter.device))
            for parameter, axis, places, channels in group.slices()
        ]

    def norms(self) -> Tensor:
        """Return ‖w_k‖ of each channel."""
        squares = self.slices[0][0].new_zeros(self.width)
        for parameter, axis, places, channels in self.slices:
            others = tuple(other for other in range(parameter.ndim) if other != axis)
            squares.index_add_(0, channels, parameter.pow(2).sum(dim=others)[places])
        return squares.sqrt()


def _gamma(norm: Tensor) -> Tensor:
    spread = (norm.max() - norm.min()).clamp_min(1e-8)
    return torch.exp2(_ALPHA * (norm.max() - norm) / spread)
