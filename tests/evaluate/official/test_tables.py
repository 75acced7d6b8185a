"""The official tables agree with themselves and with each other, or say where they do not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from statistics import fmean

import pytest

from pocketsr.errors import DataError, UnknownNameError
from pocketsr.evaluate.challenge import TRACKS, Track, find_track, standings
from pocketsr.evaluate.official import PAPERS, QUANTITIES, Cell, find_table, official_tables, read_tables

SETS = ("Set5", "Set14", "BSD100", "Urban100")
TINY = """
paper = "P"
source = "S"
[[tables]]
name = "t"
number = "Table 1"
title = "T"
measures = [{ quantity = "psnr_db" }]
[[tables.rows]]
name = "r"
values = [[30.0]]
"""


def printed(table: str, **wanted: object) -> float:
    (cell,) = find_table(table).select(**wanted)
    return cell.printed


def test_every_table_of_five_papers_is_there() -> None:
    names = [table.name for table in official_tables()]
    assert len(set(names)) == len(names) == 6 + 4 + 4 + 8 + 1
    assert [name.split("-")[0] for name in names] == sorted((name.split("-")[0] for name in names), key=PAPERS.index)
    counts = {"scsrn-table2": 3 * 5 * (6 * 4 + 2), "lrsrn-table2": 2 * 7 * 5 * 3, "pcarn-table4": 4 * 4 * 9}
    counts |= {"pcarn-table5": 4 * 3 * 9, "pcarn-table6": 4 * 5 * 6, "f2srgan-table2": 10 * 4 * 2}
    assert {name: len(find_table(name).cells) for name in counts} == counts


@pytest.mark.parametrize("table", official_tables(), ids=lambda table: table.name)
def test_numbers_are_of_a_size_that_their_quantity_has(table) -> None:
    ranges = {"psnr_db": (20, 40), "psnr_y_db": (20, 40), "ssim": (0.55, 0.98), "lpips": (0, 0.5), "niqe": (3, 9)}
    ranges |= {"ma": (4, 9), "pi": (2, 7), "nima": (4, 6), "runtime_ms": (0.4, 250), "score": (4, 100)}
    for cell in table.cells:
        low, high = ranges.get(cell.measure.quantity, (0, 2000))
        assert low < cell.value < high, cell
        assert cell.measure.quantity in QUANTITIES


@pytest.mark.parametrize("table", official_tables(), ids=lambda table: table.name)
def test_networks_named_are_ours_and_have_that_scale(table) -> None:
    networks = pytest.importorskip("pocketsr.networks").NETWORKS
    for cell in table.cells:
        if cell.network:
            assert cell.scale in networks[cell.network].scales


@pytest.mark.parametrize("table", ["scsrn-table2", "lrsrn-table2"])
def test_a_larger_factor_is_harder(table: str) -> None:
    for cell in find_table(table).select(quantity="psnr_db", precision=["float32", ""]):  # int8 may lose 5 dB at ×2
        if cell.scale != 2 and not cell.suspect and cell.row != "Bicubic":
            easier = find_table(table).select(
                row=cell.row, scale=cell.scale - 1, data=cell.data, quantity="psnr_db", precision=cell.measure.precision
            )
            assert easier[0].printed > cell.printed, cell


def test_int8_above_float32_is_marked() -> None:
    table, found = find_table("scsrn-table2"), 0
    for cell in table.select(quantity="psnr_db", precision="int8"):
        full = table.select(row=cell.row, scale=cell.scale, data=cell.data, quantity="psnr_db", precision="float32")[0]
        if cell.printed > full.printed:
            assert "int8 above float32" in cell.suspect
            assert full.suspect == cell.suspect
            found += 1
    assert found == 11


def test_the_doubts_that_are_known_are_there() -> None:
    suspects = {(cell.row, cell.scale, cell.data) for cell in find_table("scsrn-table2").cells if cell.suspect}
    assert {("Bicubic", 3, name) for name in SETS} <= suspects
    assert {("Bicubic", 2, "BSD100"), ("Bicubic", 4, "Set14"), ("ABPN", 4, "Set14")} <= suspects
    assert not {("Bicubic", 3, "DIV2K"), ("Bicubic", 2, "Set5"), ("SCSRN", 2, "Set14")} & suspects
    (cell,) = find_table("lrsrn-table2").select(row="FSRCNN", scale=2, data="Set14", quantity="psnr_y_db")
    assert (cell.printed, bool(cell.suspect)) == (28.81, True)


def test_means_over_sets_are_the_means() -> None:
    for row in ("without DCT", "with DCT"):
        cells = find_table("scsrn-table3").select(row=row)
        assert fmean(cell.printed for cell in cells[:5]) == pytest.approx(cells[5].printed, abs=1e-9)


def test_scsrn_prints_one_network_alike_in_two_tables_or_says_not() -> None:
    for cell in find_table("scsrn-table3").select(row="with DCT", data=[*SETS, "DIV2K"]):
        other = printed("scsrn-table2", row="SCSRN", scale=3, data=cell.data, quantity="psnr_db", precision="int8")
        assert cell.printed == other or (cell.suspect and abs(cell.printed - other) < 0.011)
    for measure in ({"stage": "from scratch"}, {"stage": "fine-tuned"}, {"stage": "QAT"}, {"precision": "int8"}):
        where = {"quantity": "psnr_db", **measure}
        assert printed("scsrn-table4", row="RepConv", **where) == printed(
            "scsrn-table1", row="+RepConv, WC[-3,3]", **where
        )


def test_perceptual_indices_are_those_of_ma_and_niqe() -> None:
    worst = 0.0
    for table, niqe_from in (("pcarn-table5", "pcarn-table4"), ("pcarn-table6", "pcarn-table6")):
        for cell in find_table(table).select(quantity="pi"):
            where = {"row": cell.row, "scale": cell.scale, "data": cell.data}
            ma, niqe = (printed(name, **where, quantity=key) for name, key in ((table, "ma"), (niqe_from, "niqe")))
            worst = max(worst, abs((10 - ma + niqe) / 2 - cell.printed))
    assert worst <= 0.002


def test_pcarn_at_factor_4_is_alike_in_its_tables() -> None:
    for cell in find_table("pcarn-table6").select(scale=4):
        table = "pcarn-table4" if cell.measure.quantity in ("lpips", "niqe") else "pcarn-table5"
        assert cell.printed == printed(table, row=cell.row, data=cell.data, quantity=cell.measure.quantity)


def test_colour_and_luma_differ_by_about_as_much_in_every_row_that_is_not_suspect() -> None:
    """The doubt about FSRCNN ×2 Set14 is that it alone stands out."""
    table = find_table("lrsrn-table2")
    for cell in table.select(quantity="psnr_y_db", data="Set14", scale=2):
        gain = cell.printed - printed("lrsrn-table2", row=cell.row, scale=2, data="Set14", quantity="psnr_db")
        assert (1.1 < gain < 1.6) == (not cell.suspect)


def _scores(track: Track, psnr: Cell, runtime_ms: float, score: Cell, half_db: float) -> None:
    """A printed score lies between those of the ends that PSNR and runtime were rounded from."""
    low = track.score(psnr.value - half_db, runtime_ms + 0.005) - 0.005
    high = track.score(psnr.value + half_db, runtime_ms - 0.005) + 0.005
    assert low <= score.printed <= high, score


@pytest.mark.parametrize("name", ["mai21", "aim22", "ntire23-x2", "ntire23-x3"])
def test_printed_scores_follow_from_psnr_and_runtime(name: str) -> None:
    track = find_track(name)
    if name == "ntire23-x2":  # LRSRN's tables take a rounded PSNR of bicubic
        track = dataclasses.replace(track, bicubic_psnr_db=31.69)
    table = find_table(track.table)
    for psnr in table.select(quantity="psnr_db", scale=track.scale):
        runtime, score = (table.select(row=psnr.row, scale=track.scale, quantity=q)[0] for q in ("runtime_ms", "score"))
        _scores(track, psnr, runtime.printed, score, 0.005)


def test_the_scores_of_lrsrns_first_table_follow_too() -> None:
    track = dataclasses.replace(find_track("ntire23-x2"), bicubic_psnr_db=31.69)
    table = find_table("lrsrn-table1")
    for score in table.select(quantity="score"):
        (psnr,) = table.select(row=score.row, quantity="psnr_db")
        runtime = table.select(row=score.row, quantity="runtime_ms")
        _scores(track, psnr, runtime[0].printed if runtime else 9.77, score, 0.0005)


def test_the_psnr_printed_for_factor_2_is_that_of_factor_3_and_what_was_recovered_gives_the_score() -> None:
    table = find_table("lrsrn-table3")
    for cell in table.select(scale=2, quantity="psnr_db"):
        assert cell.printed == printed("lrsrn-table3", row=cell.row, scale=3, quantity="psnr_db")
        assert cell.value > cell.printed
        assert cell.suspect


def test_every_track_has_its_table() -> None:
    for track in TRACKS:
        assert len(standings(track)) >= 5


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ('"psnr_db"', '"psnr"', "psnr"),
        ("30.0", '"thirty"', "thirty"),
        ("30.0", "true", "True"),
        ("[[30.0]]", "[[30.0, 31.0]]", "zip"),
        ('name = "r"', 'nmae = "r"', "name"),
        ('number = "Table 1"', "", "number"),
        ('paper = "P"', 'paper = "P"\npage = 3', "page"),
        ("values", "row = 3\nvalues", "row"),
        ("[[tables.rows]]", '[[tables.suspects]]\nrow = "q"\nreason = "x"\n[[tables.rows]]', "no cell"),
        ("[[tables.rows]]", '[[tables.suspects]]\nrwo = "r"\nreason = "x"\n[[tables.rows]]', "rwo"),
        ("[[tables.rows]]", "[[tables.rows]", "tables"),
    ],
)
def test_damage_is_told(right: str, wrong: str, words: str) -> None:
    assert read_tables(TINY, "tiny")[0].cells[0].printed == 30
    with pytest.raises(DataError, match=words):
        read_tables(TINY.replace(right, wrong), "tiny")


def test_two_of_one_name_are_refused() -> None:
    twice = TINY + TINY.split('source = "S"')[1]
    with pytest.raises(DataError, match="one name"):
        read_tables(twice, "tiny")
    with pytest.raises(DataError, match="one cell"):
        read_tables(TINY + '[[tables.rows]]\nname = "r"\nvalues = [[31.0]]\n', "tiny")


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="scsrn-table2"):
        find_table("scsrn-table22")


def test_the_files_are_data_of_the_package() -> None:
    import pocketsr.evaluate.official

    folder = Path(pocketsr.evaluate.official.__file__).parent
    assert {file.stem for file in folder.glob("*.toml")} == set(PAPERS)
