from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.batch.sources import expand, list_tree
from pocketsr.errors import DataError


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_pattern_becomes_what_matches_in_order(tmp_path: Path) -> None:
    _touch(tmp_path, "b.jpg", "a.jpg", "c.png", "deep/d.jpg")
    found, problems = expand([tmp_path / "*.jpg", tmp_path / "none*"])
    assert [path.name for path in found] == ["a.jpg", "b.jpg"]
    assert [source for source, _ in problems] == [tmp_path / "none*"]
    found, _ = expand([tmp_path / "**" / "*.jpg"])
    assert [path.name for path in found] == ["a.jpg", "b.jpg", "d.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    _touch(tmp_path, "a[1].jpg", "a1.jpg")
    assert expand([tmp_path / "a[1].jpg"]).found == (tmp_path / "a[1].jpg",)


def test_a_tree_is_walked_in_order_without_hidden_links_and_outputs(tmp_path: Path) -> None:
    _touch(tmp_path, "z.png", "b/c.PNG", "a/b/d.jpg", ".hidden/e.png", ".f.png", "notes.txt", "out/g.png")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    images = list_tree(tmp_path, without=tmp_path / "out").images
    assert [str(image.relative_to(tmp_path)) for image in images] == ["z.png", "a/b/d.jpg", "b/c.PNG"]


def test_a_tree_without_images_is_a_problem(tmp_path: Path) -> None:
    _touch(tmp_path, "a/notes.txt")
    with pytest.raises(DataError, match="no images"):
        list_tree(tmp_path)
