"""Training learns, resumes to the same bits, and hands its result from stage to stage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pocketsr.compress.integer import REWRITES, IntegerNetwork
from pocketsr.data import Pair, load_pairs
from pocketsr.errors import CheckpointError, SettingError
from pocketsr.train import Checkpoint, Event, Recipe, read_checkpoint, restore, train
from pocketsr.train.recipe import recipe_from


@pytest.fixture(scope="module")
def pairs(image_folder: Path) -> tuple[Pair, ...]:
    return load_pairs(image_folder, scale=2)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def recipe(*stages: dict[str, object]) -> Recipe:
    common = {"batch": 2, "patch": 8, "checkpoint_every": 3, "validate_every": 4, "precision": "fp32"}
    return recipe_from(
        {
            "name": "test",
            "network": {"name": "abpn", "options": {"scale": 2, "width": 6, "depth": 1, "expansion": 4}},
            "stages": [{**common, **stage} for stage in stages or ({"name": "a", "steps": 8},)],
        }
    )


def equal(a: Checkpoint, b: Checkpoint) -> bool:
    return all(
        torch.equal(getattr(a, kind)[key], getattr(b, kind)[key])
        for kind in ("network", "average")
        for key in a.network
    )


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


def test_later_stages_may_change_before_they_begin(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    first = {"name": "a", "steps": 4}
    train(recipe(first), pairs, folder=tmp_path)
    result = train(recipe(first, {"name": "b", "steps": 2}), pairs, folder=tmp_path, resume=True)
    assert (result.stage, result.step) == (1, 2)


def test_gradient_clipping_and_averaging_change_the_result(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    stage = {"name": "a", "steps": 4, "optimiser": "adamw", "weight_decay": 0.1}
    plain = train(recipe(stage), pairs, folder=tmp_path / "plain")
    clipped = train(recipe({**stage, "gradient_clip": 1e-9}), pairs, folder=tmp_path / "clipped")
    assert not equal(plain, clipped)
    last = train(recipe({**stage, "ema_decay": 0.0}), pairs, folder=tmp_path / "last")
    assert all(torch.equal(last.network[key], last.average[key]) for key in last.network)
    assert not all(torch.equal(plain.network[key], plain.average[key]) for key in plain.network)
