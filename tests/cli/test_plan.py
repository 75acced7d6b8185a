from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.batch.names import Naming
from pocketsr.cli.plan import is_folder, make_plan
from pocketsr.errors import SettingError


def _touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def _targets(sources: list[Path], output: Path | str | None, ending: str | None = None) -> list[Path]:
    plan = make_plan(sources, None if output is None else str(output), ending=ending, scale=3)
    return [job.target for job in plan.jobs]


def test_without_an_output_names_say_the_scale_and_keep_their_ending(tmp_path: Path) -> None:
    sources = _touch(tmp_path, "a.jpg", "b/c.PNG")
    assert _targets(sources, None) == [tmp_path / "a_x3.jpg", tmp_path / "b/c_x3.PNG"]
    assert _targets(sources, None, "WebP") == [tmp_path / "a_x3.webp", tmp_path / "b/c_x3.webp"]


def test_one_image_goes_to_the_file_that_was_named(tmp_path: Path) -> None:
    sources = _touch(tmp_path, "a.jpg")
    assert _targets(sources, tmp_path / "out.png") == [tmp_path / "out.png"]
    assert _targets(sources, tmp_path / "out.png", ".png") == [tmp_path / "out.png"]
    with pytest.raises(SettingError, match=r"does not end in \.jpg"):
        _targets(sources, tmp_path / "out.png", "jpg")


def test_several_images_or_a_folder_go_to_a_folder_under_their_own_names(tmp_path: Path) -> None:
    sources = _touch(tmp_path / "in", "b.png", "a.jpg", "notes.txt")[:2]
    out = tmp_path / "out"
    assert _targets([tmp_path / "in"], out) == [out / "a.jpg", out / "b.png"]
    assert _targets(sources, out, "png") == [out / "b.png", out / "a.png"]
    assert _targets(sources[:1], f"{out}/") == [out / "b.png"]
    out.mkdir()
    assert _targets(sources[:1], out) == [out / "b.png"]
    assert is_folder(str(out), sources[:1])


def test_a_file_is_no_folder_for_several_images(tmp_path: Path) -> None:
    sources = _touch(tmp_path, "a.jpg", "b.jpg", "out.png")
    with pytest.raises(SettingError, match=r"out\.png is a file; several images need a folder"):
        _targets(sources[:2], tmp_path / "out.png")


def test_two_images_for_one_output_are_refused(tmp_path: Path) -> None:
    sources = _touch(tmp_path, "a/x.png", "b/x.png", "a/x.jpg")
    with pytest.raises(SettingError, match=r"a/x\.png and .*b/x\.png would both become"):
        _targets(sources[:2], tmp_path / "out")
    with pytest.raises(SettingError, match="both become"):
        _targets([sources[0], sources[2]], None, "png")


def test_an_image_that_is_named_twice_is_done_once(tmp_path: Path) -> None:
    sources = _touch(tmp_path, "a.png")
    assert len(_targets([*sources, *sources, tmp_path], None)) == 1


def test_a_folder_that_is_done_again_does_not_enlarge_its_own_outputs(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "a_x3.png", "a_x3_x3.png", "b_x3.png")
    plan = make_plan([tmp_path], None, ending=None, scale=3)
    assert [job.source.name for job in plan.jobs] == ["a.png", "b_x3.png"]


def test_a_folder_without_images_is_a_problem_that_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    sources = _touch(tmp_path, "a.png")
    plan = make_plan([tmp_path / "empty", *sources], None, ending=None, scale=3)
    assert [job.source for job in plan.jobs] == sources
    assert len(plan.problems) == 1
    assert "empty" in str(plan.problems[0])


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="unknown format 'xyz'; known: png, jpg"):
        make_plan([Path("a.png")], None, ending="xyz", scale=3)


def test_folders_in_folders_are_made_again_below_the_output(tmp_path: Path) -> None:
    top, out = tmp_path / "in", tmp_path / "in" / "out"
    _touch(top, "a.png", "deep/a.png", "deep/er/b.jpg", "out/a.png")
    plan = make_plan([top], str(out), ending=None, scale=3, is_recursive=True)
    assert [job.target for job in plan.jobs] == [out / "a.png", out / "deep/a.png", out / "deep/er/b.jpg"]
    assert {job.root for job in plan.jobs} == {out}
    beside = make_plan([top / "deep"], None, ending=None, scale=3, is_recursive=True)
    assert [job.target for job in beside.jobs] == [top / "deep/a_x3.png", top / "deep/er/b_x3.jpg"]


def test_names_follow_the_pattern_and_outputs_in_the_folder_are_not_inputs_again(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "b.png", "a-big.png")
    naming = Naming("{stem}-big.{ext}")
    for output in (None, str(tmp_path)):
        plan = make_plan([tmp_path], output, ending=None, scale=3, naming=naming)
        assert [job.target.name for job in plan.jobs] == ["a-big.png", "b-big.png"]
    plan = make_plan(
        [tmp_path / "*.png"], str(tmp_path / "o"), ending=None, scale=3, naming=Naming("{number:02}.{ext}")
    )
    assert [job.target.name for job in plan.jobs] == ["01.png", "02.png", "03.png"]
    with pytest.raises(SettingError, match="add -o FOLDER"):
        make_plan([tmp_path], None, ending=None, scale=3, naming=Naming("{number}.{ext}"))
    with pytest.raises(SettingError, match="named already"):
        make_plan([tmp_path / "a.png"], str(tmp_path / "o.png"), ending=None, scale=3, naming=naming)


def test_an_output_that_would_leave_its_folder_is_a_problem_of_its_image_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "away").symlink_to(tmp_path)
    _touch(tmp_path, "in/away/a.png", "in/b.png")
    plan = make_plan([tmp_path / "in"], str(out), ending=None, scale=3, is_recursive=True)
    assert [job.target for job in plan.jobs] == [out / "b.png"]
    assert [problem.source for problem in plan.problems] == [tmp_path / "in/away/a.png"]
