"""Two processes that train together come to where one comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import difference, recipe

from pocketsr.compress.integer import REWRITES
from pocketsr.data import load_scales
from pocketsr.errors import SettingError
from pocketsr.train import Checkpoint, Processes, Recipe, join_processes, read_checkpoint, train
from pocketsr.train.learner import check_shares

#: Sums in another order: float32 rounding, grown over a few steps of Adam at 1e-3.
ROUNDING = 2e-5

SCRIPT = Path(__file__).with_name("train_in_group.py")
CARN = {
    "name": "pcarn-m",
    "options": {"scale": 2, "scales": [2, 3], "width": 8, "depth": 1, "groups": 2, "recursive": True},
}


def alone(chosen: Recipe, images: Path, folder: Path) -> Checkpoint:
    torch.set_num_threads(1)
    return train(chosen, load_scales(images, scales=chosen.scales), folder=folder, rewrites=REWRITES)


def in_two(chosen: Recipe, images: Path, folder: Path, *, steps: int = 0) -> None:
    file = folder.parent / f"{folder.name}.json"
    file.write_text(json.dumps(chosen.to_dict()))
    group = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(SCRIPT)]
    arguments = [str(file), str(images), str(folder), str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*group, *arguments], capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ({"batch": 4}, {}),
        ({"batch": 4, "accumulate": 2, "gradient_clip": 0.1, "losses": ["l2", {"name": "tv", "weight": 0.1}]}, {}),
        ({"batch": 4, "scales": [2, 3]}, {"network": CARN}),
        ({"batch": 4}, {"network": CARN}),
        ({"batch": 4, "steps": 3, "arithmetic": "integer", "learning_rate": 1e-4}, {}),
    ],
    ids=["plain", "in parts", "several scales", "one of several scales", "integer"],
)
def test_two_processes_take_the_steps_of_one(
    stage: dict[str, Any], settings: dict[str, Any], image_folder: Path, tmp_path: Path
) -> None:
    chosen = recipe(stage, **settings)
    whole = alone(chosen, image_folder, tmp_path / "one")
    in_two(chosen, image_folder, tmp_path / "two")
    both = read_checkpoint(tmp_path / "two" / "state.pt")
    assert both.is_finished
    assert difference(whole, both) < ROUNDING
    assert difference(whole, read_checkpoint(tmp_path / "two" / "a.pt")) < ROUNDING


@pytest.mark.slow
def test_two_processes_play_against_a_discriminator_and_go_on_as_one(image_folder: Path, tmp_path: Path) -> None:
    adversary = {"discriminator": {"name": "srgan", "options": {"patch": 16}}, "loss": "relativistic", "weight": 0.1}
    chosen = recipe({"batch": 4, "steps": 4, "adversary": adversary})
    in_two(chosen, image_folder, tmp_path / "two", steps=2)
    stopped = read_checkpoint(tmp_path / "two" / "state.pt")
    assert stopped.step == 2
    assert "discriminator_optimiser" in stopped.learner
    pairs = load_scales(image_folder, scales=chosen.scales)
    resumed = train(chosen, pairs, folder=tmp_path / "two", resume=True)
    assert resumed.is_finished
    assert torch.isfinite(torch.cat([value.flatten() for value in resumed.network.values()])).all()


@pytest.mark.slow
def test_two_processes_share_a_teachers_work(image_folder: Path, teacher_file: Path, tmp_path: Path) -> None:
    network = {"name": "abpn", "options": {"scale": 3, "width": 6, "depth": 1}}
    distillation = {"teacher": str(teacher_file), "outputs": "cached"}
    chosen = recipe({"batch": 4, "distillation": distillation}, network=network)
    whole = alone(chosen, image_folder, tmp_path / "one")
    in_two(chosen, image_folder, tmp_path / "two")
    assert difference(whole, read_checkpoint(tmp_path / "two" / "state.pt")) < ROUNDING
    one, two = (sorted(file.name for file in (tmp_path / run).glob("teacher-*/*.npy")) for run in ("one", "two"))
    assert one == two
    assert len(one) == 6


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    stage = recipe({"batch": 4, "accumulate": 4}).stages[0]
    check_shares(stage, 1)
    with pytest.raises(SettingError, match="batch of 4 cannot be shared out evenly to 2 processes in 4 parts each"):
        check_shares(stage, 2)


def test_alone_there_is_nobody_to_talk_to() -> None:
    with join_processes("cpu") as processes:
        assert processes == Processes()
        assert processes.is_main
        assert processes.any(True)
        assert not processes.any(False)
        assert processes.mean(torch.tensor(3.0)) == 3
        network = torch.nn.Linear(1, 1)
        assert processes.joined(network) is network


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingError, match="auto, cpu or cuda, not 'tpu'"), join_processes("tpu"):
        pass
    if not torch.cuda.is_available():
        with pytest.raises(SettingError, match="--device cpu"), join_processes("cuda"):
            pass
