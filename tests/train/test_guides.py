"""Images that a teacher makes beforehand: the right ones, once, and given up or made again where need be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from runs import equal, recipe

from pocketsr.data import Pair
from pocketsr.errors import ImageFileError
from pocketsr.image import downscale
from pocketsr.networks import build
from pocketsr.networks.saved import save_network
from pocketsr.train import Processes, Recipe, train, upscale_with
from pocketsr.train.distillation import load_teacher
from pocketsr.train.estimate import estimate
from pocketsr.train.guides import guided_pairs

OPTIONS = {"scale": 2, "width": 8, "depth": 2}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_network(build("abpn", OPTIONS), path, name="abpn", options=OPTIONS)
    return str(path)


@pytest.fixture(scope="module")
def chosen(teacher: str) -> Recipe:
    return recipe({"distillation": {"teacher": teacher, "outputs": "cached"}}, seed=3)


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    highs = [np.random.default_rng(seed).integers(0, 256, (40, 36, 3), dtype=np.uint8) for seed in range(5)]
    return tuple(Pair(low=downscale(high, 2), high=high, name=str(index)) for index, high in enumerate(highs))


def guided(pairs: tuple[Pair, ...], chosen: Recipe, folder: Path, notes: list[str]) -> tuple[Pair, ...]:
    found = guided_pairs(pairs, chosen.stages[0], 2, folder, Processes(), on_note=notes.append)
    assert found is not None
    return found


def test_what_is_cached_is_what_the_teacher_makes_and_is_made_once(
    teacher: str, chosen: Recipe, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    notes: list[str] = []
    first, again = (guided(pairs, chosen, tmp_path, notes) for _ in range(2))
    assert len(notes) == 1
    network = load_teacher(teacher)
    for pair, kept in zip(first, again, strict=True):
        assert pair.guide is not None
        assert np.array_equal(pair.guide, kept.guide)
        difference = np.abs(pair.guide.astype(int) - upscale_with(network, pair.low))
        assert difference.mean() < 1  # in bfloat16, a level here and there


def test_another_teacher_and_other_images_are_not_taken_for_these(
    chosen: Recipe, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    notes: list[str] = []
    torch.manual_seed(2)
    save_network(build("abpn", OPTIONS), tmp_path / "other.safetensors", name="abpn", options=OPTIONS)
    one = guided(pairs, chosen, tmp_path, notes)
    two = guided(pairs, chosen.taught_by(str(tmp_path / "other.safetensors")), tmp_path, notes)
    turned = guided(pairs[::-1], chosen, tmp_path, notes)
    assert [words.split(" images")[0] for words in notes[:2]] == ["the teacher enlarges 5"] * 2
    assert not np.array_equal(one[0].guide, two[0].guide)  # type: ignore[arg-type]
    assert np.array_equal(one[0].guide, turned[-1].guide)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["nothing", "half", "another size"])
def test_a_damaged_image_is_made_again(content: str, chosen: Recipe, pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    notes: list[str] = []
    before = guided(pairs, chosen, tmp_path, notes)
    file = sorted(tmp_path.glob("teacher-*/*.npy"))[2]
    if content == "another size":
        np.save(file, np.zeros((2, 2, 3), np.uint8))
    else:
        file.write_bytes(b"" if content == "nothing" else file.read_bytes()[:500])
    after = guided(pairs, chosen, tmp_path, notes)
    assert notes[1].startswith("the teacher enlarges 1 images")
    assert all(np.array_equal(one.guide, two.guide) for one, two in zip(before, after, strict=True))  # type: ignore[arg-type]


def test_a_run_stopped_while_the_teacher_is_at_work_goes_on_to_the_same_bits(
    chosen: Recipe, pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    whole = train(chosen, pairs, folder=tmp_path / "whole")
    asked = iter([False, False, True])
    stopped = train(chosen, pairs, folder=tmp_path / "parts", should_stop=lambda: next(asked))
    assert stopped.step == 0
    assert len(list((tmp_path / "parts").glob("teacher-*/*.npy"))) == 2
    assert equal(whole, train(chosen, pairs, folder=tmp_path / "parts", resume=True))


def test_a_full_disk_is_said_in_a_line(
    chosen: Recipe, pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ImageFileError, match="No space left on device"):
        guided(pairs, chosen, tmp_path, [])
    assert not list(tmp_path.glob("teacher-*/*"))  # not even a part


def test_an_estimate_does_not_run_a_teacher_that_no_step_runs(
    chosen: Recipe, teacher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    monkeypatch.setattr(type(load_teacher(teacher)), "folded", lambda network: _counted(network, runs))
    estimate(chosen, 0, {}, Processes(), steps=1)
    assert not runs
    estimate(recipe({"distillation": {"teacher": teacher}}), 0, {}, Processes(), steps=1)
    assert len(runs) == 2


def _counted(network: torch.nn.Module, runs: list[int]) -> torch.nn.Module:
    network.register_forward_hook(lambda *_: runs.append(1))
    return network
