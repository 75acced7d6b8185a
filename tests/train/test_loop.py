"""Training learns, resumes to the same bits, and hands its result from stage to stage."""

from __future__ import annotations

import errno
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import equal, recipe

from pocketsr.compress.integer import REWRITES, IntegerNetwork
from pocketsr.data import Pair, load_pairs, load_scales
from pocketsr.errors import CheckpointError, PocketsrError, SettingError, TrainingError
from pocketsr.train import Event, check_recipe, read_checkpoint, restore, train
from pocketsr.train.validate import validate

SCRIPT = Path(__file__).with_name("train_in_group.py")


@pytest.fixture(scope="module")
def pairs(image_folder: Path) -> tuple[Pair, ...]:
    return load_pairs(image_folder, scale=2)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_training_lowers_the_loss_by_a_tenth(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    losses: list[float] = []
    stage = {"name": "a", "steps": 300, "learning_rate": 3e-3, "warmup_steps": 50, "schedule": "constant"}
    train(recipe(stage), pairs, folder=tmp_path, on_event=lambda event: losses.append(event.loss))
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_ends_with_the_same_bits(pairs: tuple[Pair, ...], tmp_path: Path, precision: str) -> None:
    chosen = recipe({"name": "a", "steps": 8, "precision": precision})
    whole = train(chosen, pairs, folder=tmp_path / "whole", valid_pairs=pairs[:1])
    asked = iter([False] * 4 + [True])
    stopped = train(chosen, pairs, folder=tmp_path / "parts", valid_pairs=pairs[:1], should_stop=lambda: next(asked))
    assert (stopped.step, stopped.is_finished) == (5, False)
    resumed = train(chosen, pairs, folder=tmp_path / "parts", valid_pairs=pairs[:1], resume=True, workers=3)
    assert resumed.is_finished
    assert equal(whole, resumed)
    assert [row["psnr_db"] for row in whole.history] == [row["psnr_db"] for row in resumed.history]


ADVERSARY = {"discriminator": {"name": "srgan", "options": {"patch": 16}}, "weight": 0.1}
CARN = {"name": "carn", "options": {"scale": 2, "scales": [2, 3], "width": 8, "depth": 1}}


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ({"adversary": ADVERSARY}, {}),
        ({"scales": [2, 3]}, {"network": CARN}),
        ({"optimiser": "SOAP", "fixed_crops": 5, "augmentations": ["flip", "mixup"]}, {}),
    ],
    ids=["adversary", "several scales", "SOAP"],
)
def test_every_kind_of_stage_resumes_to_the_same_bits(
    image_folder: Path, tmp_path: Path, stage: dict[str, object], settings: dict[str, object]
) -> None:
    chosen = recipe({"steps": 6, **stage}, **settings)
    pairs = load_scales(image_folder, scales=chosen.scales)
    whole = train(chosen, pairs, folder=tmp_path / "whole")
    asked = iter([False] * 3 + [True])
    train(chosen, pairs, folder=tmp_path / "parts", should_stop=lambda: next(asked))
    resumed = train(chosen, pairs, folder=tmp_path / "parts", resume=True)
    assert equal(whole, resumed)
    if "adversary" in stage:
        judges = (state.learner["discriminator"] for state in (whole, resumed))
        assert all(torch.equal(one, other) for one, other in zip(*(judge.values() for judge in judges), strict=True))


def test_a_killed_run_resumes_from_its_last_saved_state(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    chosen = recipe()
    whole = train(chosen, pairs, folder=tmp_path / "whole")

    steps = iter(range(1, 9))

    def killed_at_five() -> bool:
        if next(steps) == 5:
            raise RuntimeError("killed")
        return False

    with pytest.raises(RuntimeError, match="killed"):
        train(chosen, pairs, folder=tmp_path / "killed", should_stop=killed_at_five)
    assert read_checkpoint(tmp_path / "killed" / "state.pt").step == 3
    assert equal(whole, train(chosen, pairs, folder=tmp_path / "killed", resume=True))


def test_stages_follow_one_another_into_integers(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    chosen = recipe(
        {"name": "float", "steps": 4},
        {"name": "integer", "steps": 5, "arithmetic": "integer", "learning_rate": 1e-4},
    )
    events: list[Event] = []
    whole = train(
        chosen, pairs, folder=tmp_path / "whole", valid_pairs=pairs[:2], rewrites=REWRITES, on_event=events.append
    )
    assert isinstance(restore(whole, REWRITES), IntegerNetwork)
    assert {event.stage.name for event in events if event.psnr_db is not None} == {"float", "integer"}
    assert [row["stage"] for row in whole.history] == ["float", "integer", "integer"]
    assert not read_checkpoint(tmp_path / "whole" / "float.pt").is_finished
    # Stopped inside the integer stage, and between the stages, it comes to the same end.
    for steps_before in (4, 6):
        folder = tmp_path / str(steps_before)
        asked = iter([False] * (steps_before - 1) + [True])
        train(
            chosen,
            pairs,
            folder=folder,
            valid_pairs=pairs[:2],
            rewrites=REWRITES,
            should_stop=lambda asked=asked: next(asked),
        )
        resumed = train(chosen, pairs, folder=folder, valid_pairs=pairs[:2], rewrites=REWRITES, resume=True)
        assert equal(whole, resumed)


def test_a_restored_network_is_the_validated_one(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    result = train(recipe(), pairs, folder=tmp_path)
    network = restore(read_checkpoint(tmp_path / "a.pt"), {})
    assert all(torch.equal(value, result.average[key]) for key, value in network.state_dict().items())


def test_a_folder_that_holds_a_run_is_not_overwritten(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    train(recipe(), pairs, folder=tmp_path)
    with pytest.raises(SettingError, match="holds a run already"):
        train(recipe(), pairs, folder=tmp_path)


def test_only_the_same_recipe_resumes(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        train(recipe(), pairs, folder=tmp_path, resume=True)
    train(recipe(), pairs, folder=tmp_path)
    with pytest.raises(CheckpointError, match="another recipe"):
        train(recipe({"name": "a", "steps": 9}), pairs, folder=tmp_path, resume=True)
    (tmp_path / "state.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        train(recipe(), pairs, folder=tmp_path, resume=True)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.99])
def test_a_state_that_ends_early_is_refused_by_name(pairs: tuple[Pair, ...], tmp_path: Path, kept: float) -> None:
    train(recipe({"steps": 1}), pairs, folder=tmp_path)
    whole = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match=r"state.pt is not a checkpoint that pocketsr can read"):
        read_checkpoint(tmp_path / "state.pt")


def test_a_state_with_a_recipe_of_another_version_names_its_file(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    train(recipe({"steps": 1}), pairs, folder=tmp_path)
    values = torch.load(tmp_path / "state.pt", weights_only=True)
    values["recipe"]["stages"][0]["warm_up"] = 3
    torch.save(values, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match=r"state.pt holds a recipe .* no key 'warm_up'"):
        read_checkpoint(tmp_path / "state.pt")


def test_how_often_a_run_is_looked_at_may_change_on_the_way(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    whole = train(recipe(), pairs, folder=tmp_path / "whole")
    asked = iter([False] * 4 + [True])
    train(recipe(), pairs, folder=tmp_path / "parts", should_stop=lambda: next(asked))
    other = recipe({"validate_every": 3, "checkpoint_every": 1, "compile": "eager"})
    assert equal(whole, train(other, pairs, folder=tmp_path / "parts", resume=True))


def test_words_about_the_data_may_change_on_the_way_and_the_data_may_not(
    pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    asked = iter([False] * 4 + [True])
    train(recipe(data={"description": "old words"}), pairs, folder=tmp_path, should_stop=lambda: next(asked))
    with pytest.raises(CheckpointError, match="another recipe"):
        train(recipe(data={"degradation": ["pil-bicubic"]}), pairs, folder=tmp_path, resume=True)
    assert train(recipe(data={"description": "new words"}), pairs, folder=tmp_path, resume=True).is_finished


def test_later_stages_may_change_before_they_begin(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    first = {"name": "a", "steps": 4}
    train(recipe(first), pairs, folder=tmp_path)
    result = train(recipe(first, {"name": "b", "steps": 2}), pairs, folder=tmp_path, resume=True)
    assert (result.stage, result.step) == (1, 2)


def test_gradient_clipping_and_averaging_change_the_result(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    stage = {"name": "a", "steps": 4, "optimiser": {"name": "AdamW", "options": {"weight_decay": 0.1}}}
    plain = train(recipe(stage), pairs, folder=tmp_path / "plain")
    clipped = train(recipe({**stage, "gradient_clip": 1e-9}), pairs, folder=tmp_path / "clipped")
    assert not equal(plain, clipped)
    last = train(recipe({**stage, "ema_decay": 0.0}), pairs, folder=tmp_path / "last")
    assert all(torch.equal(last.network[key], last.average[key]) for key in last.network)
    assert not all(torch.equal(plain.network[key], plain.average[key]) for key in plain.network)


@pytest.mark.parametrize(
    ("step", "words"),
    [(4, "the loss of step 6 is nan; the state saved last is good"), (5, "weights are no numbers after step 6")],
)
def test_numbers_that_are_none_stop_the_run_and_spare_the_good_state(
    pairs: tuple[Pair, ...], tmp_path: Path, step: int, words: str
) -> None:
    bad = {"name": "piecewise", "options": {"at": [step], "factors": [math.inf]}}
    with pytest.raises(TrainingError, match=f"stage 'a': {words}"):
        train(recipe({"steps": 60, "schedule": bad}), pairs, folder=tmp_path)
    state = read_checkpoint(tmp_path / "state.pt")
    assert state.step == 3
    assert all(torch.isfinite(value).all() for value in state.network.values())


def test_a_full_disk_is_said_and_the_last_state_stays(
    pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, count = torch.save, iter(range(9))

    def save(*arguments: object) -> None:
        if next(count) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved(*arguments)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(TrainingError, match=r"state.pt cannot be written: the disk is full"):
        train(recipe(), pairs, folder=tmp_path)
    assert read_checkpoint(tmp_path / "state.pt").step == 3
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_picture_that_cannot_be_written_is_said_and_training_goes_on(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("in the way")
    notes: list[str] = []
    chosen = recipe({"picture_every": 4})
    result = train(chosen, pairs, folder=tmp_path, valid_pairs=pairs[:1], on_note=notes.append)
    assert result.is_finished
    assert [note.split(":")[0] for note in notes] == [f"no picture of step {step}, training goes on" for step in (4, 8)]


def test_the_best_weights_are_kept_and_handed_on_where_asked(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    # The rate is so high at the end of the first stage that its last weights are worse than those before.
    first = {
        "name": "a",
        "steps": 24,
        "learning_rate": 0.3,
        "warmup_steps": 24,
        "validate_every": 2,
        "ema_decay": 0.0,
        "result": "best",
    }
    second = {"name": "b", "steps": 1, "learning_rate": 1e-12, "ema_decay": 0.0}
    result = train(recipe(first, second), pairs, folder=tmp_path, valid_pairs=pairs[:2])
    best, last = (max(row["psnr_db"] for row in result.history), result.history[-2]["psnr_db"])
    assert last < best
    assert result.history[-1]["psnr_db"] == pytest.approx(best, abs=1e-3)
    kept = read_checkpoint(tmp_path / "a-best.pt")
    assert kept.best_db == best
    assert read_checkpoint(tmp_path / "state.pt").stage == 1


def test_events_tell_the_terms_the_pace_and_what_bicubic_reaches(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    events: list[Event] = []
    chosen = recipe({"losses": ["l1", {"name": "tv", "weight": 0.1}]})
    train(chosen, pairs, folder=tmp_path, valid_pairs=pairs[:1], on_event=events.append)
    for event in events:
        assert event.loss == pytest.approx(sum(event.terms.values()))
        assert event.steps_per_second > 0
        assert 0 <= event.waiting <= 1
        assert event.psnr_db is None or event.bicubic_db is not None
    assert [event.step for event in events if event.psnr_db is not None] == [4, 8]


def test_a_warm_start_begins_with_the_weights_of_another_run(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    first = train(recipe(), pairs, folder=tmp_path / "first")
    start = tmp_path / "first" / "a.pt"
    still = recipe({"steps": 1, "learning_rate": 1e-12})
    second = train(still, pairs, folder=tmp_path / "second", start=start)
    for name, value in first.average.items():
        assert torch.allclose(second.network[name], value, atol=1e-6)


def test_a_warm_start_across_scales_leaves_the_last_layers_fresh(image_folder: Path, tmp_path: Path) -> None:
    train(recipe(), load_pairs(image_folder, scale=2), folder=tmp_path / "x2")
    options = {"scale": 3, "width": 6, "depth": 1, "expansion": 4}
    chosen = recipe({"steps": 1, "learning_rate": 1e-12}, network={"name": "abpn", "options": options})
    notes: list[str] = []
    start = tmp_path / "x2" / "a.pt"
    result = train(
        chosen,
        load_pairs(image_folder, scale=3),
        folder=tmp_path / "x3",
        start=start,
        on_note=notes.append,
    )
    (note,) = notes
    assert "tail.weight" in note
    assert "transition.weight" in note
    kept = read_checkpoint(start).average["head.weight"]
    assert torch.allclose(result.network["head.weight"], kept, atol=1e-6)


def test_a_warm_start_of_a_deeper_network_leaves_what_it_has_more_fresh(
    pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    first = train(recipe(), pairs, folder=tmp_path / "first")
    options = {"scale": 2, "width": 6, "depth": 2, "expansion": 4}
    deeper = recipe({"steps": 1, "learning_rate": 1e-12}, network={"name": "abpn", "options": options})
    notes: list[str] = []
    start = tmp_path / "first" / "a.pt"
    result = train(deeper, pairs, folder=tmp_path / "deeper", start=start, on_note=notes.append)
    assert re.findall(r"(\w+\.\d+)\.", notes[0]) == ["body.1"] * notes[0].count("body")
    assert torch.allclose(result.network["transition.weight"], first.average["transition.weight"], atol=1e-6)


def test_a_warm_start_from_something_else_is_refused(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    train(recipe(), pairs, folder=tmp_path / "abpn")
    start = tmp_path / "abpn" / "a.pt"
    other = recipe(network={"name": "fsrcnn", "options": {"scale": 2}})
    with pytest.raises(CheckpointError, match="holds abpn; recipe 'test' trains fsrcnn"):
        train(other, pairs, folder=tmp_path / "other", start=start)
    options = {"scale": 2, "width": 6, "depth": 1, "expansion": 4}
    for change, words in (
        ({"width": 7}, r"lacks head\.weight, "),
        ({"width": 7, "depth": 2}, r"lacks head\.weight, "),
        ({"depth": 0}, r"has more: body\.0\."),
    ):
        with pytest.raises(CheckpointError, match=words):
            train(
                recipe(network={"name": "abpn", "options": options | change}),
                pairs,
                folder=tmp_path / "changed",
                start=start,
            )
    with pytest.raises(SettingError, match="starts from the result of 'abpn'"):
        train(recipe(starts_from="abpn"), pairs, folder=tmp_path / "nothing")


def test_a_single_integer_stage_begins_from_float_weights(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    train(recipe({"steps": 30}), pairs, folder=tmp_path / "float")
    stage = {"name": "integer", "steps": 2, "arithmetic": "integer", "learning_rate": 1e-6}
    result = train(
        recipe(stage),
        pairs,
        folder=tmp_path / "integer",
        valid_pairs=pairs,
        start=tmp_path / "float" / "a.pt",
        rewrites=REWRITES,
    )
    float_network = restore(read_checkpoint(tmp_path / "float" / "a.pt"), REWRITES)
    assert result.history[-1]["psnr_db"] == pytest.approx(validate(float_network, pairs), abs=0.5)
    with pytest.raises(CheckpointError, match="integer arithmetic"):
        train(recipe(), pairs, folder=tmp_path / "back", start=tmp_path / "integer" / "integer.pt", rewrites=REWRITES)


def test_a_recipe_that_leaves_out_a_scale_other_than_3_is_refused() -> None:
    with pytest.raises(SettingError, match="rtsrn upscales by 2 unless told otherwise"):
        check_recipe(recipe(network="rtsrn"), {})


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"losses": ["l3"]}, "unknown loss 'l3'"),
        ({"optimiser": {"name": "Adam", "options": {"beta": 1}}}, "optimiser 'Adam' got an unexpected"),
        ({"schedule": "cosinus"}, "unknown schedule 'cosinus'"),
        ({"scales": [2, 3]}, "holds 2"),
        ({"adversary": {"discriminator": "nobody"}}, "unknown discriminator 'nobody'"),
        ({"arithmetic": "integer"}, "wants integer arithmetic"),
        ({"augmentations": ["flip", "spin"]}, "unknown augmentation 'spin'"),
        ({"augmentations": ["rotate-any"]}, "degrade_patches"),
        ({"compile": "gcc"}, "unknown backend of torch.compile 'gcc'; known: .*eager.*inductor"),
    ],
)
def test_what_a_recipe_names_is_made_before_anything_else(stage: dict[str, object], words: str) -> None:
    with pytest.raises(PocketsrError, match=words):
        check_recipe(recipe(stage), {})


def test_a_degradation_that_does_not_shrink_is_found_before_anything_else() -> None:
    with pytest.raises(PocketsrError, match="exactly once"):
        check_recipe(recipe(data={"degradation": ["bicubic", "pil-bicubic"]}), {})


def test_a_later_integer_stage_cannot_change_what_the_first_decided() -> None:
    first, second = ({"name": name, "arithmetic": "integer", "precision": "fp32"} for name in ("begin", "go-on"))
    check_recipe(recipe({**first, "equivalent": True}, second), REWRITES)
    for change in ({"activation_scales": "tracked"}, {"equivalent": True}, {"split_sums": True}, {"own_steps": True}):
        with pytest.raises(SettingError, match=r"stage 'go-on': .* in stage 'begin'; say the same"):
            check_recipe(recipe(first, {**second, **change}), REWRITES)


def test_a_compiler_that_is_not_installed_is_said(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"torch\.compile cannot run this network: backend='tvm'.*try without it"):
        train(recipe({"compile": "tvm"}), pairs, folder=tmp_path)


def test_a_network_of_luma_goes_into_integers(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    network = {"name": "fsrcnn", "options": {"scale": 2, "channels": 1}}
    stages = {"name": "f", "steps": 60}, {"name": "i", "steps": 1, "arithmetic": "integer", "learning_rate": 1e-9}
    chosen = recipe(*stages, network=network)
    result = train(chosen, pairs, folder=tmp_path, valid_pairs=pairs[:1], rewrites=REWRITES)
    assert result.is_finished
    by_stage = {row["stage"]: float(row["psnr_db"]) for row in result.history}
    assert by_stage["i"] == pytest.approx(
        by_stage["f"], abs=0.5
    )  # ranges were seen on luma, as the network will see it


def test_a_run_killed_at_any_moment_goes_on_from_a_whole_state(
    pairs: tuple[Pair, ...], image_folder: Path, tmp_path: Path
) -> None:
    chosen = recipe({"steps": 400, "checkpoint_every": 1, "validate_every": 1000})
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(chosen.to_dict()))
    folder = tmp_path / "killed"
    command = [sys.executable, str(SCRIPT), str(file), str(image_folder), str(folder)]
    random, steps = np.random.default_rng(0), [0]
    for _ in range(3):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not (folder / "state.pt").exists() or read_checkpoint(folder / "state.pt").step == steps[-1]:
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(random.uniform(0, 0.2))
        run.kill()
        run.wait()
        steps.append(read_checkpoint(folder / "state.pt").step)
    assert steps == sorted(set(steps))
    whole = train(chosen, pairs, folder=tmp_path / "whole")
    assert equal(whole, train(chosen, pairs, folder=folder, resume=True))
