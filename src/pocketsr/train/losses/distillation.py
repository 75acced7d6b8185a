"""Distillation losses: what a student takes over from a teacher, between outputs or between features.

Those of outputs take ``(output, target, guide)``, the student's image, the truth and the teacher's image, each float32
``(N, 3, H, W)`` in 0..1. Those of features take a list of the student's and one of the teacher's, ``(N, C, H, W)``
each, as many of one as of the other; sizes may differ. All give a scalar, a mean over the batch.

Source:
    Light F2SRGAN (2023), equations 17 to 20. Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017.
    Ji et al., "Show, Attend and Distill", AAAI 2021 (AFD).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketsr.errors import SettingError

OutputLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
FeatureLoss = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]


def output() -> OutputLoss:
    """Mean absolute difference from the teacher's image."""
    return lambda output, _, guide: F.l1_loss(output, guide)


def residual(*, share: float = 0.5) -> OutputLoss:
    """Mean absolute difference from the truth, moved by ``share`` of the teacher's residual towards the teacher.

    Where the teacher is wrong the student is asked for less than the truth, which it could not reach either. Read as
    the difference of both residuals to the enlarged input the term would be ``output`` again: the input falls out.
    Two L1 losses side by side are no substitute: between the two images equal weights have no slope at all, and
    unequal ones pull to the heavier.

    Args:
        share: 0 is the truth, 1 the teacher.

    Raises:
        SettingError: The share is not within 0 and 1.
    """
    if not 0 <= share <= 1:
        raise SettingError(f"distillation loss 'residual': share must be 0 to 1, not {share}")
    return lambda output, target, guide: F.l1_loss(output, target + share * (guide - target))


def kl(*, temperature: float = 4.0) -> OutputLoss:
    """Equation 20: T² · KL of the teacher's distribution from the student's.

    The paper's classes are undefined for images; the code takes the colours of each pixel for them, in 0..255. Kept as
    the paper's reading: the authors drop the term, and it sees differences between a pixel's colours only.

    Raises:
        SettingError: The temperature is not above 0.
    """
    if not temperature > 0:
        raise SettingError(f"distillation loss 'kl': temperature must be above 0, not {temperature}")

    def loss(output: Tensor, _: Tensor, guide: Tensor) -> Tensor:
        ours = F.log_softmax(output * 255 / temperature, dim=1)
        theirs = F.log_softmax(guide * 255 / temperature, dim=1)
        return temperature**2 * (theirs.exp() * (theirs - ours)).sum(dim=1).mean()

    return loss


class Attention(nn.Module):
    """AT, equation 17: where a layer looks, as the normalised map of its mean squared features.

    Args:
        norm: ``mean`` averages squared differences (the AT paper's code); ``sum`` adds them up and halves them (the
            equation as Light F2SRGAN prints it, squared).

    Raises:
        SettingError: The norm is neither.
    """

    def __init__(self, *, norm: str = "mean") -> None:
        super().__init__()
        if norm not in ("mean", "sum"):
            raise SettingError(f"distillation loss 'attention': norm is 'mean' or 'sum', not {norm!r}")
        self._norm = norm

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the sum over pairs."""
        total = torch.zeros((), device=student[0].device)
        for ours, theirs in zip(student, teacher, strict=True):
            squares = (_map(ours, theirs.shape[-2:]) - _map(theirs, theirs.shape[-2:])) ** 2
            total = total + (squares.mean() if self._norm == "mean" else squares.sum(dim=1).mean() / 2)
        return total


class AFD(nn.Module):
    """Attention-based feature distillation: each of the teacher's layers learns which of the student's to listen to.

    Its own parameters are trained with the student's; they are made when the widths of the features are known.

    Args:
        student: Channels of each of the student's features.
        teacher: The same of the teacher's.
        width: Width of queries and keys.

    Raises:
        SettingError: The width is below 1.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int], *, width: int = 128) -> None:
        super().__init__()
        if width < 1:
            raise SettingError(f"distillation loss 'afd': width must be 1 or more, not {width}")
        count = len(teacher)
        self._width = width
        self.queries = nn.ModuleList(nn.Sequential(nn.Linear(c, width), nn.BatchNorm1d(width)) for c in teacher)
        self.keys = nn.ModuleList(nn.Sequential(nn.Linear(c, width), nn.BatchNorm1d(width), nn.ReLU()) for c in student)
        self.bilinear = nn.Sequential(nn.Linear(width, width * count), nn.BatchNorm1d(width * count))
        self.of_teacher = nn.Parameter(nn.init.xavier_normal_(torch.empty(count, width)))
        self.of_student = nn.Parameter(nn.init.xavier_normal_(torch.empty(len(student), width)))

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the sum over the teacher's layers of attention times distance, averaged over the batch.

        Features are float32, of two images or more: queries and keys are normalised over the batch.
        """
        count = len(teacher)
        queries = torch.stack([q(f.mean(dim=(2, 3))) for q, f in zip(self.queries, teacher, strict=True)], dim=1)
        keys = [
            self.bilinear(k(f.mean(dim=(2, 3)))).unflatten(1, (count, self._width))
            for k, f in zip(self.keys, student, strict=True)
        ]  # each (N, T, width)
        logits = torch.stack([(queries * key).sum(dim=2) for key in keys], dim=2)  # (N, T, S)
        logits = (logits + self.of_teacher @ self.of_student.T) / self._width**0.5
        attention = logits.softmax(dim=2)
        distances = torch.stack(
            [
                torch.stack(
                    [((_map(s, t.shape[-2:]) - _map(t, t.shape[-2:])) ** 2).mean(dim=1) for s in student], dim=1
                )
                for t in teacher
            ],
            dim=1,
        )  # (N, T, S)
        total: Tensor = (attention * distances).sum(dim=2).mean(dim=0).sum()
        return total


def _map(features: Tensor, size: Sequence[int]) -> Tensor:
    """Return where features are strong: the mean of their squares, ``(N, H·W)`` of length 1, at the size given."""
    energy = features.float().pow(2).mean(dim=1, keepdim=True)
    if energy.shape[-2:] != torch.Size(size):
        energy = F.adaptive_avg_pool2d(energy, (int(size[0]), int(size[1])))
    return F.normalize(energy.flatten(1), dim=1)


def attention(_student: Sequence[int], _teacher: Sequence[int], *, norm: str = "mean") -> Attention:
    """AT, equation 17: where a layer looks, as the normalised map of its mean squared features."""
    return Attention(norm=norm)


OUTPUT_LOSSES: Mapping[str, Callable[..., OutputLoss]] = {"output": output, "residual": residual, "kl": kl}
FEATURE_LOSSES: Mapping[str, Callable[..., nn.Module]] = {"attention": attention, "afd": AFD}
