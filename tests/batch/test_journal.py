from __future__ import annotations

import os
from pathlib import Path

import pytest

from pocketsr.batch.journal import FILE_NAME, Journal, Journals


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "a.jpg", tmp_path / "out" / "sub" / "a.png"
    target.parent.mkdir(parents=True)
    source.write_bytes(b"12")
    target.write_bytes(b"345")
    return source, target


def test_what_was_finished_is_known_by_another_process(files: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "out", "s"), Journal(tmp_path / "out", "s")
    assert not second.has(*files)
    first.add(*files)
    assert second.has(*files)
    assert second.knows(files[1])
    assert second.path.name == FILE_NAME


def test_an_output_input_or_setting_that_changed_is_not_finished(files: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = files
    journal = Journal(tmp_path / "out", "s")
    journal.add(source, target)
    assert not Journal(tmp_path / "out", "other").has(source, target)
    target.write_bytes(b"34")
    assert not journal.has(source, target)
    target.write_bytes(b"345")
    assert journal.has(source, target)
    os.utime(source, (1, 1))
    assert not journal.has(source, target)
    target.unlink()
    assert not journal.has(source, target)
    assert journal.knows(target)


def test_a_line_that_was_cut_short_spoils_no_other(files: tuple[Path, Path], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out", "s")
    journal.add(*files)
    whole = journal.path.read_bytes()
    for length in range(len(whole) - 1):
        journal.path.write_bytes(whole[:length])
        assert not Journal(tmp_path / "out", "s").has(*files)
        Journal(tmp_path / "out", "s").add(*files)
        assert Journal(tmp_path / "out", "s").has(*files)
    journal.path.write_bytes(b"\xff\n[]\n3\n{}\n" + whole)
    assert journal.has(*files)


def test_settings_are_compared_by_what_they_say(files: tuple[Path, Path], tmp_path: Path) -> None:
    Journals({"model": "a", "scale": 3}).of(tmp_path / "out").add(*files)
    assert Journals({"scale": 3, "model": "a"}).of(tmp_path / "out").has(*files)
    other = Journals({"scale": 2, "model": "a"})
    assert not other.of(tmp_path / "out").has(*files)


def test_a_journal_is_removed_by_the_batch_that_began_it(files: tuple[Path, Path], tmp_path: Path) -> None:
    first = Journals({})
    first.of(tmp_path / "out").add(*files)
    second = Journals({})
    assert second.of(tmp_path / "out").has(*files)
    second.remove()
    assert (tmp_path / "out" / FILE_NAME).exists()
    first.remove()
    assert not (tmp_path / "out" / FILE_NAME).exists()


def test_a_folder_that_takes_no_journal_is_no_error(files: tuple[Path, Path], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "missing", "s")
    journal.add(*files)
    journal.remove()
    assert not journal.has(*files)
