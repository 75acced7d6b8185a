"""Teachers: what each loss is, where outputs come from, and that a taught run resumes to the same bits."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from runs import equal, recipe
from torch import nn

from pocketsr.compress.integer import REWRITES
from pocketsr.data import Pair, PatchSampler
from pocketsr.errors import CheckpointError, SettingError, UnknownNameError
from pocketsr.image import downscale
from pocketsr.networks import build
from pocketsr.networks.saved import save_network
from pocketsr.train import Processes, check_recipe, read_checkpoint, train, upscale_with
from pocketsr.train.distillation import Guidance, load_teacher
from pocketsr.train.losses.distillation import AFD, Attention, kl, output, residual
from pocketsr.train.stage_run import make_learner

TAPS = [["head", "head"], ["body.0", "body.1"]]


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


def test_afd_of_one_layer_is_the_distance_of_its_maps() -> None:
    ours = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).reshape(1, 1, 2, 2).repeat(2, 3, 1, 1)
    theirs = torch.tensor([[0.0, 5.0], [0.0, 0.0]]).reshape(1, 1, 2, 2).repeat(2, 4, 1, 1)
    assert AFD([3], [4], width=8)([ours], [theirs]).item() == pytest.approx(2 / 4)  # nothing else to listen to
    assert AFD([3], [4, 4], width=8)([ours], [theirs, theirs]).item() == pytest.approx(2 * 2 / 4)  # a sum over layers


def test_afd_shares_attention_as_its_queries_and_keys_say() -> None:
    torch.manual_seed(0)
    loss = AFD(
        [2, 3], [4], width=2
    ).eval()  # running statistics are 0 and 1: normalising leaves all but epsilon as it is
    ours, theirs = [torch.rand(2, 2, 3, 3), torch.rand(2, 3, 3, 3)], torch.rand(2, 4, 3, 3)
    query = loss.queries[0][0](theirs.mean((2, 3)))
    keys = [loss.bilinear[0](loss.keys[index][0](layer.mean((2, 3))).relu()) for index, layer in enumerate(ours)]
    logits = torch.stack([(query * key).sum(1) for key in keys], dim=1) + loss.of_teacher[0] @ loss.of_student.T
    weights = (logits / 2**0.5).softmax(1)
    maps = [F.normalize(layer.pow(2).mean(1).flatten(1)) for layer in (*ours, theirs)]
    distances = torch.stack([((one - maps[2]) ** 2).mean(1) for one in maps[:2]], dim=1)
    assert loss(ours, [theirs]).item() == pytest.approx((weights * distances).sum(1).mean().item(), rel=1e-4)


# -- stages -----------------------------------------------------------------------------------------------------------


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
        {"terms": ["output", {"name": "afd", "weight": 3.0}], "taps": TAPS},
        {"terms": [{"name": "afd", "weight": 3.0}], "taps": TAPS, "stage": {"precision": "bf16", "optimiser": "SOAP"}},
        {"terms": ["output", "afd"], "taps": TAPS, "stage": {"accumulate": 2, "batch": 4}},
    ],
    ids=["cached", "live", "attention", "afd", "afd in bf16", "afd in parts"],
)
def test_a_taught_run_resumes_to_the_same_bits(
    choice: dict[str, Any], teacher: str, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    settings = choice.get("stage", {})
    choice = {key: value for key, value in choice.items() if key != "stage"}
    chosen = recipe({**settings, **taught(teacher, **choice)}, seed=3)
    whole = train(chosen, pairs, folder=tmp_path / "whole")
    steps = iter([False] * 4 + [True])
    stopped = train(chosen, pairs, folder=tmp_path / "parts", should_stop=lambda: next(steps, False))
    assert not stopped.is_finished
    resumed = train(chosen, pairs, folder=tmp_path / "parts", resume=True)
    assert equal(whole, resumed)
    alone = train(recipe(settings, seed=3), pairs, folder=tmp_path / "alone")
    assert not equal(whole, alone)


def test_what_afd_has_to_learn_is_learnt(teacher: str, pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    chosen = recipe(taught(teacher, terms=["afd"], taps=TAPS))
    asked = iter([True])
    early = train(chosen, pairs, folder=tmp_path, should_stop=lambda: next(asked, False)).learner["guidance"]
    late = train(chosen, pairs, folder=tmp_path, resume=True).learner["guidance"]
    for name in ("of_student", "bilinear.0.weight", "queries.0.0.weight"):
        assert not torch.equal(early["features"][f"afd.{name}"], late["features"][f"afd.{name}"])


def test_a_run_goes_on_with_its_teacher_wherever_that_lies_and_with_no_other(
    teacher: str, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    moved, other = tmp_path / "moved.safetensors", tmp_path / "other.safetensors"
    shutil.copy(teacher, moved)
    options = {"scale": 2, "width": 8, "depth": 2}
    torch.manual_seed(2)
    save_network(build("abpn", options), other, name="abpn", options=options)
    asked = iter([False, True])
    train(recipe(taught(teacher)), pairs, folder=tmp_path / "run", should_stop=lambda: next(asked, False))
    assert read_checkpoint(tmp_path / "run" / "state.pt").learner["guidance"]["teacher"]["name"] == Path(teacher).name
    with pytest.raises(
        CheckpointError, match=r"was taught by teacher\.safetensors .* other\.safetensors .* is another"
    ):
        train(recipe(taught(str(other))), pairs, folder=tmp_path / "run", resume=True)
    assert train(recipe(taught(str(moved))), pairs, folder=tmp_path / "run", resume=True).is_finished


@pytest.mark.parametrize("outputs", ["cached", "live"])
def test_a_teacher_of_several_scales_teaches_at_each(outputs: str, tmp_path: Path) -> None:
    options = {"scale": 2, "scales": [2, 3], "width": 8, "depth": 1, "groups": 2, "recursive": True}
    save_network(build("pcarn-m", options), tmp_path / "t.safetensors", name="pcarn-m", options=options)
    high = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    pairs = {scale: [Pair(low=downscale(high, scale), high=high, name="x")] for scale in (2, 3)}
    stage = {"scales": [2, 3], "losses": [], **taught(str(tmp_path / "t.safetensors"), outputs=outputs)}
    chosen = recipe(stage, network={"name": "pcarn-m", "options": options})
    assert train(chosen, pairs, folder=tmp_path / "run").is_finished
    made = {file.parent.name[-2:]: np.load(file) for file in (tmp_path / "run").glob("teacher-*/*.npy")}
    network = load_teacher(str(tmp_path / "t.safetensors"))
    for name, image in made.items():
        network.scale = int(name[1])
        assert np.abs(image.astype(int) - upscale_with(network, pairs[network.scale][0].low)).mean() < 1
    assert sorted(made) == (["x2", "x3"] if outputs == "cached" else [])


def test_luma_is_taught_by_luma_or_by_a_cached_teacher_of_colour(
    teacher: str, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    options = {"scale": 2, "channels": 1}
    network = {"name": "fsrcnn", "options": options}
    luma = str(tmp_path / "luma.safetensors")
    save_network(build("fsrcnn", options), Path(luma), name="fsrcnn", options=options)
    for number, choice in enumerate((taught(luma), taught(luma, outputs="cached"), taught(teacher, outputs="cached"))):
        chosen = recipe({"steps": 2, **choice}, network=network)
        assert train(chosen, pairs, folder=tmp_path / str(number)).is_finished
    with pytest.raises(SettingError, match='so it cannot run on the same patches; use outputs = "cached"'):
        check_recipe(recipe(taught(teacher), network=network), REWRITES)
    with pytest.raises(SettingError, match="the teacher knows luma only"):
        check_recipe(recipe(taught(luma)), REWRITES)


def test_what_a_layer_gives_while_the_student_is_validated_is_not_kept(teacher: str, pairs: tuple[Pair, ...]) -> None:
    learner = make_learner(
        recipe(taught(teacher, terms=["attention"], taps=TAPS)), 0, build("abpn", {"scale": 2, "width": 6}), Processes()
    )
    learner.learn(PatchSampler(pairs, patch=8, batch=2, seed=0).batch_at(0), 0)
    learner.network(torch.rand(1, 3, 8, 8))
    assert learner._guidance is not None
    assert not learner._guidance._kept["student"]


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
        ({"teacher": "EDSR_x4.pth"}, CheckpointError, "pocketsr import makes the latter"),
        ({"terms": []}, SettingError, "one term or more, each once, not none"),
        ({"terms": ["output", "kl", "output"]}, SettingError, "each once, not output, kl, output"),
        ({"terms": [{"name": "kl", "options": {"temperature": 0}}]}, SettingError, "temperature must be above 0"),
        ({"terms": [{"name": "residual", "options": {"share": 2}}]}, SettingError, "share must be 0 to 1"),
        ({"terms": [{"name": "attention", "options": {"norm": "l1"}}], "taps": TAPS}, SettingError, "'mean' or 'sum'"),
        ({"terms": [{"name": "afd", "options": {"width": 0}}], "taps": TAPS}, SettingError, "width must be 1 or more"),
    ],
)
def test_what_does_not_go_together_is_refused_before_images_are_read(
    stage: dict[str, Any], kind: type[Exception], words: str, teacher: str
) -> None:
    with pytest.raises(kind, match=words):
        check_recipe(recipe({"distillation": {"teacher": teacher, **stage}}), REWRITES)


def test_integer_stages_refuse_taps(teacher: str) -> None:
    integer = {"name": "b", "arithmetic": "integer", **taught(teacher, terms=["attention"], taps=TAPS)}
    with pytest.raises(SettingError, match="no layers to tap; teach it by its output"):
        check_recipe(recipe({}, integer), REWRITES)


def test_afd_needs_two_patches_in_a_part_and_one_process(teacher: str) -> None:
    stage = recipe({"accumulate": 2, **taught(teacher, terms=["afd"], taps=TAPS)}).stages[0]
    network = build("abpn", {"scale": 2, "width": 6, "depth": 1})
    with pytest.raises(SettingError, match="2 patches or more in each part; a batch of 2 in 2 parts has 1"):
        Guidance(stage, network, Processes())
    with pytest.raises(SettingError, match="several processes do not exchange"):
        Guidance(dataclasses.replace(stage, accumulate=1), network, Processes(world=2))
    only = recipe({"losses": [], **taught(teacher, terms=["attention"], taps=TAPS)}).stages[0]
    with pytest.raises(SettingError, match="several processes need a loss of the output"):
        Guidance(only, network, Processes(world=2))


def test_a_layer_that_gives_no_map_is_refused(teacher: str) -> None:
    class Vector(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (x,)

    class Student(nn.Module):
        scale = 2

        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = Vector(), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)[0]

    for name, words in (("used", "gives no feature map"), ("idle", "does not run: idle")):
        stage = recipe(taught(teacher, terms=["attention"], taps=[[name, "head"]])).stages[0]
        with pytest.raises(SettingError, match=words):
            Guidance(stage, Student(), Processes())


def test_changes_of_content_need_a_live_teacher(teacher: str) -> None:
    with pytest.raises(SettingError, match=r'after mixup .* use outputs = "live"'):
        check_recipe(recipe({"augmentations": ["mixup"], **taught(teacher, outputs="cached")}), REWRITES)
    degraded = {"data": {"degrade_patches": True}}
    with pytest.raises(SettingError, match="degraded anew each time"):
        check_recipe(recipe(taught(teacher, outputs="cached"), **degraded), REWRITES)


@pytest.mark.parametrize("outputs", ["live", "cached"])
def test_a_teacher_of_another_factor_is_refused_before_images_are_read(outputs: str, teacher: str) -> None:
    chosen = recipe(taught(teacher, outputs=outputs), network={"name": "abpn", "options": {"scale": 3, "width": 6}})
    with pytest.raises(SettingError, match="the teacher upscales by 2, the student by 3"):
        check_recipe(chosen, REWRITES)


def test_a_teacher_is_named_for_every_stage_that_has_one(teacher: str) -> None:
    chosen = recipe(taught(""), {"name": "b"})
    first, second = chosen.taught_by(teacher).stages
    assert first.distillation is not None
    assert first.distillation.teacher == teacher
    assert second.distillation is None
    with pytest.raises(SettingError, match="no stage of recipe 'test' has a teacher"):
        recipe({}).taught_by(teacher)
