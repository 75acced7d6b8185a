from pathlib import Path

import pytest

from pocketsr.errors import DataError
from pocketsr.evaluate.perceptual.perceptual_index import find_ma, perceptual_index, read_ma_table

#: Set5 and Set14 in PCARN's tables 4 and 5: NIQE, Ma, printed index.
PRINTED = [
    *[
        (8.525, 4.865, 6.830),
        (7.530, 5.315, 6.108),
        (7.204, 5.538, 5.833),
        (7.417, 5.563, 5.927),
        (4.810, 7.965, 3.423),
    ],
    *[
        (6.791, 4.584, 6.104),
        (5.858, 5.799, 5.030),
        (3.633, 8.064, 2.784),
        (3.501, 7.990, 2.755),
        (3.727, 7.793, 2.967),
    ],
]


@pytest.mark.parametrize(("niqe", "ma", "printed"), PRINTED)
def test_it_gives_the_printed_index_from_the_printed_parts(niqe: float, ma: float, printed: float) -> None:
    assert perceptual_index(niqe, ma) == pytest.approx(printed, abs=0.002)


def test_a_table_is_read_with_and_without_a_line_of_words(tmp_path: Path) -> None:
    file = tmp_path / "ma.csv"
    for head in ("", "image,ma\n"):
        file.write_text(head + "baby.png, 7.9\n\n bird ,8\n", encoding="utf-8")
        assert read_ma_table(file) == {"baby.png": 7.9, "bird": 8.0}
    assert find_ma(read_ma_table(file), "bird.png") == 8
    assert find_ma(read_ma_table(file), "folder/baby.png") == 7.9


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,1\nb,x\n", "line 2"), ("a,1\nb\n", "line 2"), ("a,11\n", "0 to 10"), ("a,nan\n", "0 to 10"), ("", "no line")],
)
def test_tables_that_are_none_are_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "ma.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_ma_table(tmp_path / "ma.csv")


def test_missing_tables_and_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        read_ma_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"2 images, but not 'c\.png'"):
        find_ma({"a": 1.0, "b": 2.0}, "c.png")
