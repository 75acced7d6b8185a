"""Teachers: what each loss is, where outputs come from, and that a taught run resumes to the same bits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from runs import equal, recipe

from pocketsr.compress.integer import REWRITES
from pocketsr.data import Pair, PatchSampler
from pocketsr.errors import CheckpointError, SettingError, UnknownNameError
from pocketsr.image import downscale
from pocketsr.networks import build
from pocketsr.networks.saved import save_network
from pocketsr.train import Processes, check_recipe, train, upscale_with
from pocketsr.train.distillation import guided_pairs, load_teacher
from pocketsr.train.losses.distillation import AFD, Attention, kl, output, residual
from pocketsr.train.stage_run import make_learner

Image = np.ndarray


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(1)
    options = {"scale": 2, "width": 8, "depth": 2}
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_network(build("abpn", options), path, name="abpn", options=options)
    return str(path)


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    highs = [np.random.default_rng(seed).integers(0, 256, (40, 36, 3), dtype=np.uint8) for seed in range(3)]
    return tuple(Pair(low=downscale(high, 2), high=high, name=str(index)) for index, high in enumerate(highs))


def taught(teacher: str, **choice: Any) -> dict[str, Any]:
    return {"distillation": {"teacher": teacher, **choice}}


# -- losses -----------------------------------------------------------------------------------------------------------


def test_output_losses_by_hand() -> None:
    ours, truth, guide = torch.full((1, 3, 1, 1), 0.2), torch.full((1, 3, 1, 1), 0.8), torch.full((1, 3, 1, 1), 0.4)
    assert output()(ours, truth, guide).item() == pytest.approx(0.2)
    assert residual(share=0.5)(ours, truth, guide).item() == pytest.approx(0.4)
    assert residual(share=0.0)(ours, truth, guide).item() == pytest.approx(0.6)


def test_kl_compares_colours_of_each_pixel() -> None:
    ours, guide = torch.zeros(1, 3, 1, 1), torch.tensor([4.0, 0.0, 0.0]).reshape(1, 3, 1, 1) / 255
    p = np.exp([1.0, 0.0, 0.0]) / np.exp([1.0, 0.0, 0.0]).sum()
    expected = 16 * float((p * np.log(3 * p)).sum())
    assert kl(temperature=4.0)(ours, ours, guide).item() == pytest.approx(expected, rel=1e-5)
    assert kl()(ours + 0.5, ours, ours).item() == pytest.approx(0, abs=1e-5)  # grey of any level is the same to it


def test_attention_by_hand() -> None:
    ours = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).reshape(1, 1, 2, 2)
    theirs = torch.tensor([[0.0, 2.0], [0.0, 0.0]]).reshape(1, 1, 2, 2).repeat(1, 3, 1, 1)
    assert Attention()([ours], [theirs]).item() == pytest.approx(2 / 4)
    assert Attention(norm="sum")([ours], [theirs]).item() == pytest.approx(1.0)
    assert Attention()([ours * 7], [ours]).item() == pytest.approx(0)  # strength is nothing, place is all
    larger = F.interpolate(ours, scale_factor=2.0)
    assert Attention()([larger], [ours]).item() == pytest.approx(0)


def test_afd_is_zero_for_equal_features_and_weighs_layers_by_attention() -> None:
    torch.manual_seed(0)
    loss = AFD([4, 4], [4], width=8)
    same, other = torch.rand(3, 4, 5, 5), torch.rand(3, 4, 5, 5)
    assert loss([same, same], [same]).item() == pytest.approx(0, abs=1e-7)
    maps = [F.normalize(features.pow(2).mean(1).flatten(1)) for features in (same, other)]
    distance = ((maps[0] - maps[1]) ** 2).mean()
    assert 0 < loss([same, other], [same]).item() < distance.item()  # attention is shared, and one part costs nothing
    loss([same, other], [same]).backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())


# -- stages -----------------------------------------------------------------------------------------------------------


def test_what_is_cached_is_what_the_teacher_makes_and_is_made_once(
    teacher: str, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    stage = recipe(taught(teacher, outputs="cached")).stages[0]
    notes: list[str] = []
    device = torch.device("cpu")
    first = guided_pairs(pairs, stage, 2, tmp_path, device, notes.append)
    again = guided_pairs(pairs, stage, 2, tmp_path, device, notes.append)
    assert len(notes) == 1
    network = load_teacher(teacher)
    for pair, kept in zip(first, again, strict=True):
        assert pair.guide is not None
        assert np.array_equal(pair.guide, kept.guide)
        difference = np.abs(pair.guide.astype(int) - upscale_with(network, pair.low))
        assert difference.mean() < 1  # in bfloat16, a level here and there


def test_every_move_of_a_patch_moves_the_teachers_image_along(pairs: tuple[Pair, ...]) -> None:
    guided = [dataclasses.replace(pair, guide=pair.high) for pair in pairs]
    moves = recipe({"augmentations": ["flip", "transpose", "shuffle-colours"]}).stages[0].augmentations
    sampler = PatchSampler(guided, patch=8, batch=6, seed=0, augmentations=moves)
    for step in range(4):
        batch = sampler.batch_at(step)
        assert batch.guide is not None
        assert np.array_equal(batch.guide, batch.high)
    assert PatchSampler(pairs, patch=8, batch=2, seed=0).batch_at(0).guide is None


@pytest.mark.parametrize(
    "choice",
    [
        {"outputs": "cached"},
        {"outputs": "live", "terms": ["output", {"name": "residual", "weight": 0.5}, "kl"]},
        {"terms": ["attention"], "taps": [["body.0", "body.1"]]},
        {"terms": ["output", {"name": "afd", "weight": 3.0}], "taps": [["head", "head"], ["body.0", "body.1"]]},
    ],
    ids=["cached", "live", "attention", "afd"],
)
def test_a_taught_run_resumes_to_the_same_bits(
    choice: dict[str, Any], teacher: str, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    chosen = recipe(taught(teacher, **choice), seed=3)
    whole = train(chosen, pairs, folder=tmp_path / "whole")
    steps = iter([False] * 4 + [True])
    stopped = train(chosen, pairs, folder=tmp_path / "parts", should_stop=lambda: next(steps, False))
    assert not stopped.is_finished
    resumed = train(chosen, pairs, folder=tmp_path / "parts", resume=True)
    assert equal(whole, resumed)
    alone = train(recipe({}, seed=3), pairs, folder=tmp_path / "alone")
    assert not equal(whole, alone)


def test_a_student_comes_nearer_to_its_teacher(teacher: str, pairs: tuple[Pair, ...]) -> None:
    stage = {"losses": [], "optimiser": "Adam", "learning_rate": 3e-3, "steps": 60, **taught(teacher)}
    torch.manual_seed(0)
    learner = make_learner(recipe(stage), 0, build("abpn", {"scale": 2, "width": 6, "depth": 1}), Processes())
    sampler = PatchSampler(pairs, patch=8, batch=4, seed=0)
    losses = [float(learner.learn(sampler.batch_at(step), step)["output"]) for step in range(60)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_integer_stages_are_taught_by_outputs(teacher: str, pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    quantised = {"name": "b", "steps": 3, "arithmetic": "integer", "precision": "fp32"}
    integer = {**quantised, **taught(teacher, outputs="cached")}
    result = train(recipe({"steps": 2}, integer), pairs, folder=tmp_path, rewrites=REWRITES)
    assert result.is_finished


@pytest.mark.parametrize(
    ("stage", "kind", "words"),
    [
        ({"terms": ["attention"]}, SettingError, "need taps"),
        ({"terms": ["attention"], "taps": [["haed", "head"]]}, UnknownNameError, "layer of the student 'haed'.*'head'"),
        ({"terms": ["afd"], "taps": [["head", "nose"]]}, UnknownNameError, "layer of the teacher 'nose'"),
        ({"terms": ["attention"], "taps": [["head", "head"]], "outputs": "cached"}, SettingError, "not cached"),
        ({"terms": ["atention"]}, UnknownNameError, "did you mean 'attention'"),
        ({"teacher": ""}, SettingError, "--teacher"),
        ({"teacher": "nobody.safetensors"}, CheckpointError, "there is no file nobody"),
    ],
)
def test_what_does_not_go_together_is_refused_before_images_are_read(
    stage: dict[str, Any], kind: type[Exception], words: str, teacher: str
) -> None:
    with pytest.raises(kind, match=words):
        check_recipe(recipe({"distillation": {"teacher": teacher, **stage}}), REWRITES)


def test_changes_of_content_need_a_live_teacher(teacher: str) -> None:
    with pytest.raises(SettingError, match=r'after mixup .* use outputs = "live"'):
        check_recipe(recipe({"augmentations": ["mixup"], **taught(teacher, outputs="cached")}), REWRITES)
    degraded = {"data": {"degrade_patches": True}}
    with pytest.raises(SettingError, match="degraded anew each time"):
        check_recipe(recipe(taught(teacher, outputs="cached"), **degraded), REWRITES)


def test_a_teacher_of_another_factor_is_refused(teacher: str, pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    three = [Pair(low=pair.low[:12, :12], high=pair.high[:36, :36], name="x") for pair in pairs]
    chosen = recipe(taught(teacher, outputs="cached"), network={"name": "abpn", "options": {"scale": 3, "width": 6}})
    with pytest.raises(SettingError, match="the teacher upscales by 2, the student by 3"):
        train(chosen, three, folder=tmp_path)


def test_a_teacher_is_named_for_every_stage_that_has_one(teacher: str) -> None:
    chosen = recipe(taught(""), {"name": "b"})
    first, second = chosen.taught_by(teacher).stages
    assert first.distillation is not None
    assert first.distillation.teacher == teacher
    assert second.distillation is None
    with pytest.raises(SettingError, match="no stage of recipe 'test' has a teacher"):
        recipe({}).taught_by(teacher)
