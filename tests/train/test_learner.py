"""A step of training does what the stage says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from runs import recipe
from torch import nn

from pocketsr.blocks import RepConv2d
from pocketsr.data import PatchBatch
from pocketsr.networks import build
from pocketsr.train import Processes
from pocketsr.train.adversarial import AdversarialLearner
from pocketsr.train.images import to_luma, to_tensor
from pocketsr.train.learner import Learner
from pocketsr.train.stage_run import make_learner

#: Sums of the same numbers in another order.
ROUNDING = 1e-6


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def batch(count: int = 4, scale: int = 2) -> PatchBatch:
    random = np.random.default_rng(0)
    sizes = (count, 8, 8, 3), (count, 8 * scale, 8 * scale, 3)
    low, high = (random.integers(0, 256, size, dtype=np.uint8) for size in sizes)
    return PatchBatch(low, high, scale)


def learner(name: str = "abpn", options: dict[str, Any] | None = None, **stage: Any) -> Learner:
    torch.manual_seed(0)
    network = build(name, options or {"scale": 2, "width": 6, "depth": 1, "expansion": 4})
    chosen = recipe(stage)
    return make_learner(chosen, 0, network, Processes())


def weights(chosen: Learner) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in chosen.network.parameters()])


def test_the_terms_add_up_to_the_loss() -> None:
    chosen = learner(losses=["l1", {"name": "tv", "weight": 0.5}, {"name": "dct", "weight": 0.1}])
    terms = chosen.learn(batch(), 0)
    assert set(terms) == {"loss", "l1", "tv", "dct"}
    assert terms["loss"].item() == pytest.approx(sum(terms[name].item() for name in ("l1", "tv", "dct")))
    assert not any(term.requires_grad for term in terms.values())


def test_a_batch_in_parts_gives_the_step_of_the_whole() -> None:
    whole, parts = learner(optimiser="SGD"), learner(optimiser="SGD", batch=4, accumulate=4)
    for step in range(3):
        losses = whole.learn(batch(), step)["loss"], parts.learn(batch(), step)["loss"]
        assert torch.allclose(*losses, atol=ROUNDING)
    assert torch.allclose(weights(whole), weights(parts), atol=ROUNDING)


def test_clipped_gradients_are_as_long_as_allowed() -> None:
    chosen = learner(optimiser="SGD", learning_rate=1.0, schedule="constant", gradient_clip=1e-3)
    before = weights(chosen)
    chosen.learn(batch(), 0)
    assert (weights(chosen) - before).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_weights_stay_within_their_limits_and_biases_are_free() -> None:
    chosen = learner(weight_limit=0.02, rep_weight_limit=0.03)
    for parameter in chosen.network.parameters():
        nn.init.constant_(parameter, 0.5)
    chosen.learn(batch(), 0)
    inside = [module for module in chosen.network.modules() if isinstance(module, RepConv2d)]
    assert inside
    largest = {name: parameter.abs().max().item() for name, parameter in chosen.network.named_parameters()}
    for name, value in largest.items():
        limit = 0.03 if name.startswith("body.") else 0.02
        assert value == pytest.approx(limit) if name.endswith("weight") else value > 0.4


def test_a_network_of_luma_learns_from_luma() -> None:
    chosen = learner("sesr", {"scale": 2, "channels": 1}, losses=["l1"])
    terms = chosen.learn(batch(), 0)
    fresh = learner("sesr", {"scale": 2, "channels": 1}).network
    low, high = (to_luma(to_tensor(pixels)) for pixels in (batch().low, batch().high))
    assert terms["loss"].item() == pytest.approx((fresh(low) - high).abs().mean().item(), rel=1e-4)


def test_luma_of_black_white_and_green() -> None:
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 1, 0]])[:, :, None, None]
    assert torch.allclose(to_luma(colours).flatten() * 255, torch.tensor([16.0, 235.0, 144.553]))


def test_one_of_the_scales_is_trained_at_a_time() -> None:
    chosen = learner("carn", {"scale": 2, "scales": [2, 3], "width": 8, "depth": 1}, scales=[2, 3])
    before = {name: value.clone() for name, value in chosen.network.state_dict().items()}
    chosen.learn(batch(scale=3), 0)
    changed = {name for name, value in chosen.network.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("upsamplers.3") for name in changed)
    assert not any(name.startswith("upsamplers.2") for name in changed)
    assert any(name.startswith("body") for name in changed)


def test_a_compiled_network_takes_the_same_step() -> None:
    plain, compiled = learner(), learner(compile="aot_eager")
    losses = plain.learn(batch(), 0)["loss"], compiled.learn(batch(), 0)["loss"]
    assert torch.allclose(*losses, atol=ROUNDING)
    assert compiled.network.state_dict().keys() == plain.network.state_dict().keys()


def test_an_adversary_learns_and_teaches() -> None:
    adversary = {"discriminator": {"name": "srgan", "options": {"patch": 16}}, "weight": 0.5, "learning_rate": 1e-4}
    chosen = learner(losses=[], adversary=adversary, optimiser="SGD", batch=4)
    judge = {name: value.clone() for name, value in chosen.state()["discriminator"].items()}
    before = weights(chosen)
    terms = chosen.learn(batch(), 0)
    assert set(terms) == {"loss", "adversary", "discriminator"}
    assert terms["loss"] == terms["adversary"]
    assert not torch.equal(weights(chosen), before)
    now = chosen.state()["discriminator"]
    assert not torch.equal(now["tail.weight"], judge["tail.weight"])
    rate = chosen.state()["discriminator_optimiser"]["param_groups"][0]["lr"]
    assert rate == pytest.approx(1e-4)


def test_the_network_s_step_leaves_the_discriminator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    adversary = {"discriminator": {"name": "srgan", "options": {"patch": 16}}, "weight": 1.0}
    chosen = learner(losses=[], adversary=adversary, batch=4, accumulate=2)
    assert isinstance(chosen, AdversarialLearner)
    monkeypatch.setattr(chosen, "_learn_to_judge", lambda *_: torch.zeros(()))
    before = weights(chosen)
    chosen.learn(batch(), 0)
    assert not torch.equal(weights(chosen), before)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in chosen.discriminator.parameters())
