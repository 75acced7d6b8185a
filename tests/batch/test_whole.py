from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketsr.batch import whole
from pocketsr.batch.whole import is_whole


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "bmp"])
@pytest.mark.parametrize("limit", [1 << 24, 10])
def test_a_file_of_the_right_size_that_is_all_there_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, limit: int
) -> None:
    monkeypatch.setattr(whole, "STREAM_PIXELS", limit)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)).save(path)
    assert is_whole(path, (30, 40))
    assert is_whole(path, (40, 30))
    assert not is_whole(path, (30, 41))
    content = path.read_bytes()
    for spoilt in (b"", content[:8], content[: len(content) // 2], b"\0" * len(content)):
        path.write_bytes(spoilt)
        assert not is_whole(path, (30, 40))
    path.unlink()
    assert not is_whole(path, (30, 40))
