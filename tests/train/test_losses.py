"""Losses are the distances they are named after."""

from __future__ import annotations

import pytest
import torch

from pocketsr.train.losses import loss_of
from pocketsr.train.recipe import Stage

OUTPUT = torch.tensor([[[[0.0, 0.5], [1.0, 0.2]]]])
TARGET = torch.tensor([[[[0.1, 0.5], [0.6, 0.2]]]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1", (0.1 + 0.4) / 4),
        ("l2", (0.01 + 0.16) / 4),
        ("charbonnier", (2 * 0.3 + (0.01 + 0.09) ** 0.5 + (0.16 + 0.09) ** 0.5) / 4),
    ],
)
def test_loss_by_hand(name: str, expected: float) -> None:
    stage = Stage(name="a", steps=1, loss=name, charbonnier_epsilon=0.3)
    assert float(loss_of(stage)(OUTPUT, TARGET)) == pytest.approx(expected, rel=1e-6)
