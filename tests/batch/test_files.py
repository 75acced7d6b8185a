from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.batch import Job, Journals, Outcome, Policy, Stopped, do_file, planned
from pocketsr.batch.journal import FILE_NAME
from pocketsr.batch.locks import locked
from pocketsr.batch.sizes import image_size, pixels_held
from pocketsr.errors import ImageFileError, SettingError
from pocketsr.runtime import Target


@pytest.fixture
def job(tmp_path: Path) -> Job:
    source = tmp_path / "in.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)).save(source)
    root = tmp_path / "out"
    root.mkdir()
    return Job(source, root / "sub" / "in.png", root)


def _enlarge(job: Job, overwrite: bool) -> tuple[str, ...]:
    assert overwrite or not job.target.exists()
    with Image.open(job.source) as image:
        image.resize((image.width * 3, image.height * 3)).save(job.target)
    return ("a note",)


def _do(job: Job, settings: str = "", **policy: bool) -> Outcome:
    return do_file(job, _enlarge, Policy(**policy), Journals({"": settings}).of(job.root), size=Target(scale=3))


def test_an_output_is_made_with_its_folders_and_written_down(job: Job) -> None:
    done = _do(job)
    assert (done.is_done, done.size, done.notes, done.error) == (True, (18, 12), ("a note",), None)
    assert (job.root / FILE_NAME).exists()
    assert sorted(path.name for path in job.target.parent.iterdir()) == ["in.png"], "the lock is gone"


def test_resume_skips_what_is_finished_and_does_what_changed(job: Job) -> None:
    assert _do(job, resume=True).is_done
    assert _do(job, resume=True).skipped == "it is finished"
    assert _do(job, "other model", resume=True).is_done
    job.target.write_bytes(job.target.read_bytes()[:-9])
    assert _do(job, "other model", resume=True).is_done
    with Image.open(job.target) as image:
        image.load()


def test_resume_without_a_journal_asks_the_file_itself(job: Job) -> None:
    _do(job)
    (job.root / FILE_NAME).unlink()
    assert _do(job, resume=True).skipped == "it is there, whole and of the right size"
    whole = job.target.read_bytes()
    for spoilt in (b"", whole[:-60], b"mine"):
        job.target.write_bytes(spoilt)
        before = planned(job, Policy(resume=True), Journals({}).of(job.root), size=Target(scale=3))
        assert "--overwrite" in str(before.error), "it is not known whose this is"
    assert _do(job, resume=True, overwrite=True).is_done


def test_skip_existing_asks_nothing(job: Job) -> None:
    job.target.parent.mkdir()
    job.target.write_bytes(b"mine")
    assert _do(job, skip_existing=True).skipped == "it is there already"
    with pytest.raises(SettingError, match="choose one"):
        Policy(skip_existing=True, resume=True)


def test_what_another_process_makes_is_left_to_it(job: Job) -> None:
    job.target.parent.mkdir()
    with locked(job.target):
        assert _do(job).skipped.endswith("is making it")
    assert not job.target.exists()


@pytest.mark.parametrize("error", [ImageFileError("no"), OSError("no"), MemoryError("no")])
def test_an_error_is_an_outcome_and_leaves_no_lock(job: Job, error: Exception) -> None:
    def fail(*_: object) -> tuple[str, ...]:
        raise error

    done = do_file(job, fail, Policy(), Journals({}).of(job.root), size=Target(scale=3))
    assert done.error is error
    assert not done.is_done
    assert list(job.target.parent.iterdir()) == []


def test_a_fault_of_ours_is_an_outcome_that_says_where_it_is(job: Job) -> None:
    def fail(*_: object) -> tuple[str, ...]:
        raise KeyError("orientation")

    error = do_file(job, fail, Policy(), Journals({}).of(job.root), size=Target(scale=3)).error
    assert f"cannot upscale {job.source}: KeyError at test_files.py:" in str(error)
    assert error is not None
    assert error.__traceback__ is None, "it would keep the pixels of its image"


def test_what_calls_off_the_batch_is_raised_and_leaves_no_lock(job: Job) -> None:
    def stop(*_: object) -> tuple[str, ...]:
        raise Stopped

    with pytest.raises(Stopped):
        do_file(job, stop, Policy(), Journals({}).of(job.root), size=Target(scale=3))
    assert list(job.target.parent.iterdir()) == []


def test_a_link_that_appears_after_the_plan_is_not_followed(job: Job, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (job.root / "sub").symlink_to(tmp_path / "elsewhere")
    assert "outside" in str(_do(job).error)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_an_image_holds_is_bounded_where_rows_are_streamed(job: Job, tmp_path: Path) -> None:
    Image.new("1", (10_000, 6_000)).save(tmp_path / "large.png")
    assert image_size(tmp_path / "large.png") == (10_000, 6_000)
    assert pixels_held(tmp_path / "large.png", Path("a.jpg"), Target(scale=3)) == 60_000_000 + (1 << 24)
    assert pixels_held(tmp_path / "large.png", Path("a.webp"), Target(scale=3)) == 600_000_000
    assert pixels_held(job.source, job.target, Target(scale=3)) == 24 * 10
    assert pixels_held(tmp_path / "missing", job.target, Target(scale=3)) == 0
