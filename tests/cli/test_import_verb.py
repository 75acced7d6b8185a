"""What ``pocketsr import`` says and where it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from pocketsr.cli import main
from upstream import MAKERS


def pocketsr(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save({"model": MAKERS["f2srgan-light"].make().state_dict()}, tmp_path / "light.pt")
    return tmp_path / "light.pt"


def test_the_row_of_the_list_and_what_was_left_out_are_said(checkpoint: Path) -> None:
    done = pocketsr("import", checkpoint, "--network", "f2srgan-light", "-o", checkpoint.with_name("n.safetensors"))
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{checkpoint.with_name('n.safetensors')}\n"
    assert "khanhhungvu1508/Light-F2SRGAN: f2srgan-light (scale=4, inner=1" in done.stderr
    assert "residual3.0.block1.0.0.weight" in done.stderr.split("left out on purpose: ")[1]
    assert "residual1.0.block1.1.quantAct.x_min" in done.stderr


def test_another_network_than_the_one_asked_for_is_refused(checkpoint: Path) -> None:
    refused = pocketsr("import", checkpoint, "--network", "f2srgan-student")
    assert refused.exit_code == 1
    assert "holds f2srgan-light, not f2srgan-student" in refused.stderr
    unknown = pocketsr("import", checkpoint, "--network", "feqe")
    assert unknown.exit_code == 2
    assert "unknown network to import 'feqe'" in unknown.stderr


def test_the_output_is_a_safetensors_file_in_a_folder_that_is_there(checkpoint: Path) -> None:
    elsewhere = pocketsr("import", checkpoint, "-o", checkpoint.with_name("x.pth"))
    assert elsewhere.exit_code == 2
    assert "other verbs go by the ending" in elsewhere.stderr
    nowhere = pocketsr("import", checkpoint, "-o", checkpoint.parent / "none" / "x.safetensors")
    assert nowhere.exit_code == 1
    assert "cannot be written" in nowhere.stderr
    assert nowhere.stdout == ""
    assert [file.name for file in checkpoint.parent.iterdir()] == ["light.pt"]


def test_a_checkpoint_is_never_written_over_itself(checkpoint: Path) -> None:
    assert pocketsr("import", checkpoint).exit_code == 0
    saved = checkpoint.with_suffix(".safetensors")
    before = saved.read_bytes()
    same = saved.parent / ".." / saved.parent.name / saved.name
    refused = pocketsr("import", saved, "-o", same, "--overwrite")
    assert refused.exit_code == 1
    assert "is there already" in refused.stderr
    assert saved.read_bytes() == before
