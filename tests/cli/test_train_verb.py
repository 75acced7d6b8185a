"""The door of training: options, what is said before and meanwhile, and several processes."""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from rich.console import Console

from pocketsr.cli import main
from pocketsr.cli.train_panel import TrainPanel
from pocketsr.train import Event, read_checkpoint, recipe_from, recipe_names

RECIPE = """
name = "small"
description = "A small one."
any_network = true
network = { name = "abpn", options = { scale = 2, width = 6, depth = 1 } }
[[stages]]
name = "first"
steps = 4
batch = 2
patch = 12
losses = ["l1", { name = "tv", weight = 0.01 }]
validate_every = 2
picture_every = 4
[[stages]]
name = "second"
steps = 3
batch = 2
patch = 12
[readings.long]
why = "the paper trains longer"
stages.second = { steps = 5 }
"""


def pocketsr(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(RECIPE)
    return file


def test_a_dry_run_says_what_will_be_done_and_writes_nothing(recipe: Path) -> None:
    done = pocketsr(recipe, "--dry-run", "--reading", "long", "-t", 1)
    assert done.exit_code == 0, done.output
    for words in (
        "abpn(scale=2, width=6, depth=1)",
        "parameters as it ships",
        "GMAC for a frame of 1080p",
        "losses = l1 + 0.01 · tv",
        "steps = 5",
        "ms a step here",
        "long: the paper trains longer",
        "made smaller by bicubic",
    ):
        assert words in done.stdout
    assert list(recipe.parent.iterdir()) == [recipe]


def test_help_names_every_recipe() -> None:
    words = " ".join(pocketsr("--help").stdout.split())
    assert f"Recipes: {', '.join(recipe_names())}." in words.replace("- ", "-")


def test_a_run_says_what_it_does_in_lines_and_leaves_its_pictures(recipe: Path, image_folder: Path) -> None:
    folder = recipe.parent / "run"
    done = pocketsr(recipe, "--data", image_folder, "--valid", image_folder, "-o", folder, "-t", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{folder / 'second.pt'}\n"
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines if " dB (best " in line] == ["first 2/4", "first 4/4", "second 3/3"]
    assert all(word in lines[1] for word in ("l1 0.", "tv 0.", "learning rate", "bicubic", "steps/s", "left of this"))
    assert (folder / "pictures" / "first-4.png").is_file()
    assert {"first-best.pt", "curve.csv", "curve.png"} <= {file.name for file in folder.iterdir()}


def test_pictures_come_as_often_as_asked(recipe: Path, image_folder: Path) -> None:
    folder = recipe.parent / "run"
    options = ("--valid", image_folder, "--pictures", 2, "-o", folder, "-t", 1)
    done = pocketsr(recipe, "--data", image_folder, *options)
    assert done.exit_code == 0, done.output
    names = ["first-2.png", "first-4.png", "second-2.png", "second-3.png"]
    assert sorted(file.name for file in (folder / "pictures").iterdir()) == names


def test_resume_auto_begins_and_goes_on(recipe: Path, image_folder: Path) -> None:
    folder = recipe.parent / "run"
    arguments = (recipe, "--data", image_folder, "-o", folder, "-t", 1)
    assert pocketsr(*arguments, "--resume").exit_code == 1  # there is nothing yet
    assert pocketsr(*arguments, "--resume", "auto").exit_code == 0
    first = read_checkpoint(folder / "second.pt")
    assert pocketsr(*arguments, "--resume", "auto").exit_code == 0
    again = read_checkpoint(folder / "second.pt")
    assert again.step == first.step
    assert all(torch.equal(value, again.network[name]) for name, value in first.network.items())
    assert pocketsr(*arguments).exit_code == 2


def test_another_network_scale_and_reading_name_the_run(
    recipe: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    options = ("--network", "fsrcnn", "--scale", 3, "--reading", "long", "--steps", 1, "--seed", 7)
    done = pocketsr(recipe, "--data", image_folder, *options, "-t", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout == "runs/small-long-fsrcnn-x3/second.pt\n"
    state = read_checkpoint(Path("runs/small-long-fsrcnn-x3/second.pt"))
    assert (state.recipe.network.name, state.recipe.scale, state.recipe.seed, state.step) == ("fsrcnn", 3, 7, 1)


def test_a_warm_start_across_scales_is_said(recipe: Path, image_folder: Path) -> None:
    folder = recipe.parent
    assert pocketsr(recipe, "--data", image_folder, "-o", folder / "x2", "-t", 1).exit_code == 0
    start = folder / "x2" / "second.pt"
    options = ("-s", 3, "--from", start, "-o", folder / "x3", "-t", 1)
    done = pocketsr(recipe, "--data", image_folder, *options)
    assert done.exit_code == 0, done.output
    assert "is of another scale or depth; these stay fresh: tail.weight" in done.stderr


def test_a_folder_as_div2k_brings_its_own_validation(recipe: Path, image_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "DIV2K"
    for part, names in (("train", ("0.png", "1.png")), ("valid", ("2.png",))):
        (data / f"DIV2K_{part}_HR").mkdir(parents=True)
        for name in names:
            shutil.copy(image_folder / name, data / f"DIV2K_{part}_HR")
    done = pocketsr(recipe, "--data", data, "-o", tmp_path / "run", "-t", 1)
    assert done.exit_code == 0, done.output
    assert " dB (best " in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "--data FOLDER says which images"),
        (("--reading", "short", "--dry-run"), 2, "unknown reading 'short'"),
        (("--network", "abpm", "--dry-run"), 2, "did you mean 'abpn'"),
        (("--data", "none", "--resume", "sometimes"), 2, "always"),
        (("--data", "none"), 1, "none is not a folder"),
    ],
)
def test_bad_input_is_said(recipe: Path, options: tuple[str, ...], code: int, words: str) -> None:
    done = pocketsr(recipe, *options)
    assert done.exit_code == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_images_smaller_than_a_patch_are_counted_or_refused(recipe: Path, image_folder: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("patch = 12", "patch = 49"))
    done = pocketsr(recipe, "--data", image_folder, "-o", tmp_path / "run", "-t", 1)
    assert done.exit_code == 1
    assert "6 images are smaller than a patch of 49×49" in done.stderr
    assert "the largest of 6 has 48×54" in done.stderr


@pytest.mark.slow
def test_torchrun_trains_in_two_processes_and_only_one_speaks(recipe: Path, image_folder: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "pocketsr", "train", recipe, "--data", image_folder, "--valid", image_folder]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    folder = tmp_path / "run"
    done = subprocess.run([*command, "-o", folder], capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == f"{folder / 'second.pt'}\n"
    assert done.stderr.count("reading images") == 1
    assert done.stderr.count(" dB (best ") == 3


@pytest.mark.slow
def test_of_several_processes_only_one_says_the_plan(recipe: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "pocketsr", "train", recipe, "--dry-run", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("in all ") == 1
    assert done.stdout.count("parameters as it ships") == 1


@pytest.mark.slow
def test_a_terminal_gets_a_live_panel(recipe: Path, image_folder: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pocketsr", "train", recipe, "--data", image_folder, "-o", tmp_path / "run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "120"}
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert child.wait(timeout=60) == 0
    words = shown.decode()
    for part in ("small: stage first, 1 of 2", "stage second, 2 of 2", "4 of 4 steps", "learning rate", "╭"):
        assert part in words


def event(step: int, **values: object) -> Event:
    stages = recipe_from({"name": "x", "network": "abpn", "stages": [{"name": "a", "steps": 100}]}).stages
    return Event(
        **{"stage": stages[0], "step": step, "loss": 0.5, "learning_rate": 1e-3, "seconds_left": 600, **values}
    )


def test_the_panel_remembers_the_best_and_says_when_data_is_slow(tmp_path: Path) -> None:
    recipe = recipe_from({"name": "x", "network": "abpn", "stages": [{"name": "a", "steps": 100}]})
    with (tmp_path / "out").open("w") as file, TrainPanel(Console(file=file, width=200), recipe) as panel:
        panel.show(event(10, psnr_db=31.0, bicubic_db=28.0, steps_per_second=12.0))
        panel.show(event(20, psnr_db=30.5, bicubic_db=28.0, steps_per_second=12.0, waiting=0.31))
        panel.show(event(30))  # no validation, and no minute has passed
    first, second = (tmp_path / "out").read_text().splitlines()
    assert first == (
        "a 10/100: loss 0.50000, learning rate 0.001, 31.000 dB (best 31.000, bicubic 28.000), "
        "12.0 steps/s, 10 min left"
    )
    assert "30.500 dB (best 31.000" in second
    assert "31% of it waiting for data" in second


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--compile", "gcc"), "unknown backend of torch.compile 'gcc'; known: "),
        (("-t", 1_000_000), "not in the range"),
        (("--resume",), "holds no run to resume"),
        (("--from", "nothing.pt"), "there is no checkpoint nothing.pt"),
        (("-o", "small.toml"), "small.toml is a file"),
        (("-o", "small.toml/run"), "small.toml is a file"),
        (("--seed", 10**20), "below 2^63"),
    ],
)
def test_what_is_wrong_with_the_place_is_said_before_images_are_read(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...], words: str
) -> None:
    monkeypatch.chdir(recipe.parent)
    place = () if "-o" in options else ("-o", "run")
    done = pocketsr(recipe.name, "--data", "missing", *place, *options)
    assert done.exit_code in (1, 2)
    assert words in done.output
    assert "reading images" not in done.output
    assert not (recipe.parent / "run").exists()


def test_another_recipe_than_the_runs_is_said_before_images_are_read(recipe: Path, image_folder: Path) -> None:
    folder = recipe.parent / "run"
    assert pocketsr(recipe, "--data", image_folder, "-o", folder, "-t", 1).exit_code == 0
    curve = (folder / "curve.csv").read_bytes()
    for options, words in ((("--resume", "--seed", 7), "trained with another recipe"), ((), "holds a run already")):
        done = pocketsr(recipe, "--data", "missing", "-o", folder, *options)
        assert done.exit_code in (1, 2)
        assert words in done.stderr
        assert "reading images" not in done.stderr
    start = ("--from", folder / "second.pt", "--network", "fsrcnn", "-o", recipe.parent / "other")
    assert "holds abpn" in pocketsr(recipe, "--data", "missing", *start).stderr
    assert (folder / "curve.csv").read_bytes() == curve


def test_a_folder_that_cannot_be_written_is_said_before_images_are_read(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # as on a disk that is mounted to be read
    done = pocketsr(recipe, "--data", "missing", "-o", recipe.parent / "deep" / "run")
    assert done.exit_code == 2
    assert f"{recipe.parent} cannot be written to; choose another folder with -o" in done.stderr


def test_a_recipe_that_starts_from_another_says_so_before_images_are_read(recipe: Path) -> None:
    recipe.write_text(RECIPE.replace("any_network", 'starts_from = "abpn"\nany_network'))
    done = pocketsr(recipe, "--data", "missing", "-o", recipe.parent / "run")
    assert done.exit_code == 2
    assert "starts from the result of 'abpn'" in done.stderr


def test_the_panel_shows_a_stage_that_its_recipe_does_not_hold() -> None:
    stage = {"name": "a", "steps": 100}
    shown = recipe_from({"name": "x", "network": {"name": "abpn"}, "stages": [stage]})
    other = recipe_from({"name": "y", "network": {"name": "abpn"}, "stages": [{**stage, "name": "student"}]}).stages[0]
    event = Event(
        stage=other,
        step=50,
        loss=0.1,
        learning_rate=1e-3,
        seconds_left=9.0,
        steps_per_second=5.0,
        waiting=0.0,
        terms={},
        psnr_db=30.0,
        bicubic_db=29.0,
    )
    with Console(file=io.StringIO()) as console, TrainPanel(console, shown) as panel:
        panel.show(event)


def test_the_panel_knows_the_best_of_a_run_that_goes_on(tmp_path: Path) -> None:
    recipe = recipe_from({"name": "x", "network": "abpn", "stages": [{"name": "a", "steps": 100}]})
    history = [{"stage": "a", "psnr_db": 31.5}, {"stage": "other", "psnr_db": 40.0}]
    with (tmp_path / "out").open("w") as file, TrainPanel(Console(file=file, width=200), recipe, history) as panel:
        panel.show(event(20, psnr_db=31.0, bicubic_db=28.0))
    assert "31.000 dB (best 31.500" in (tmp_path / "out").read_text()


def test_a_recipe_with_vgg_can_be_planned_without_its_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POCKETSR_VGG19", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    text = RECIPE.replace('"l1", { name = "tv", weight = 0.01 }', '{ name = "vgg", options = { layer = "conv1_2" } }')
    (tmp_path / "small.toml").write_text(text, encoding="utf-8")
    done = pocketsr(tmp_path / "small.toml", "--dry-run", "-t", 1)
    assert done.exit_code == 0, done.output
    assert "losses = vgg(layer=conv1_2)\n" in done.stdout
    assert "missing    loss 'vgg' needs VGG-19's weights" in done.stdout
    assert "POCKETSR_VGG19" in done.stdout
    assert pocketsr(tmp_path / "small.toml", "--data", "missing").exit_code == 2  # a real run has to have them


def test_a_plan_refuses_wrong_options_of_vgg(tmp_path: Path) -> None:
    text = RECIPE.replace('{ name = "tv", weight = 0.01 }', '{ name = "vgg", options = { layer = "conv9_9" } }')
    (tmp_path / "small.toml").write_text(text, encoding="utf-8")
    done = pocketsr(tmp_path / "small.toml", "--dry-run")
    assert done.exit_code == 2
    assert "VGG-19 has no layer 'conv9_9'" in done.stderr
