"""What a discriminator and the network against it minimise, from logits of upscaled ("fake") and real images.

Logits are what comes before a sigmoid, of any shape; of several discriminators they come as a tuple, and losses add up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

Logits = Tensor | tuple[Tensor, ...]


class AdversarialLoss(ABC):
    """Both sides of one game."""

    def of_network(self, fake: Logits, real: Logits) -> Tensor:
        """Return what the network minimises: small where its images are taken for real."""
        return _summed(self._of_network, fake, real)

    def of_discriminator(self, fake: Logits, real: Logits) -> Tensor:
        """Return what the discriminator minimises: small where it tells them apart."""
        return _summed(self._of_discriminator, fake, real)

    @abstractmethod
    def _of_network(self, fake: Tensor, real: Tensor) -> Tensor: ...

    @abstractmethod
    def _of_discriminator(self, fake: Tensor, real: Tensor) -> Tensor: ...


class BCE(AdversarialLoss):
    """Binary cross-entropy, the network's side not saturating.

    Source:
        Goodfellow et al. 2014; PCARN's code, which adds both halves without halving them.
    """

    def _of_network(self, fake: Tensor, real: Tensor) -> Tensor:  # noqa: ARG002
        return F.softplus(-fake).mean()

    def _of_discriminator(self, fake: Tensor, real: Tensor) -> Tensor:
        return F.softplus(-real).mean() + F.softplus(fake).mean()


class Relativistic(AdversarialLoss):
    """Whether an image looks more real than its counterpart.

    Args:
        average: Compare with the mean over the counterparts of this process's part of the batch, both ways.
        sigmoid: Squeeze logits through a sigmoid first and take the result for logits, as F2SRGAN's released code does,
            so that they differ by 1 at most.

    Source:
        Jolicoeur-Martineau, "The relativistic discriminator", 2018; the plain form is F2SRGAN's.
    """

    def __init__(self, *, average: bool = False, sigmoid: bool = False) -> None:
        self._average, self._sigmoid = average, sigmoid

    def _of_network(self, fake: Tensor, real: Tensor) -> Tensor:
        return self._of_discriminator(real, fake)

    def _of_discriminator(self, fake: Tensor, real: Tensor) -> Tensor:
        if self._sigmoid:
            fake, real = torch.sigmoid(fake), torch.sigmoid(real)
        if not self._average:
            return F.softplus(fake - real).mean()
        return (F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()) / 2


class LeastSquares(AdversarialLoss):
    """Squared distance of logits from 1 for real and 0 for upscaled images.

    Source:
        Mao et al., LSGAN, 2017, with (a, b, c) = (0, 1, 1).
    """

    def _of_network(self, fake: Tensor, real: Tensor) -> Tensor:  # noqa: ARG002
        return (fake - 1).square().mean() / 2

    def _of_discriminator(self, fake: Tensor, real: Tensor) -> Tensor:
        return ((real - 1).square().mean() + fake.square().mean()) / 2


def _summed(loss: object, fake: Logits, real: Logits) -> Tensor:
    assert callable(loss)
    fakes, reals = (logits if isinstance(logits, tuple) else (logits,) for logits in (fake, real))
    return torch.stack([loss(one, other) for one, other in zip(fakes, reals, strict=True)]).sum()
