"""The page: well-formed, nothing from outside, every figure that of the record, and what is missing said."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pocketsr.cli import main
from pocketsr.errors import DataError
from pocketsr.evaluate.record import JudgedFolder, JudgedModel, Latency, Metric, Record, write_record
from pocketsr.report import compare, load_runs, make_markdown, make_page
from sample_records import FIRST, REASON, sample_record, write_pair

#: Elements of HTML that have no end.
_VOID = {"meta", "img", "input", "br", "hr", "link", "col"}


class _Checked(HTMLParser):
    """Fails on tags that do not nest; gathers what the page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.references: list[str] = []
        self.headings: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        self.references += [str(values[name]) for name in ("src", "href") if name in values]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def read(html: str) -> _Checked:
    found = _Checked()
    found.feed(html)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_pair(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def html(pair: list[Path]) -> str:
    return make_page(compare(load_runs(pair)), title="").html


def test_the_page_is_well_formed_and_complete_in_itself(html: str) -> None:
    found = read(html)
    assert found.images
    assert all(image.get("alt") for image in found.images)
    assert all(reference.startswith(("data:", "#")) for reference in found.references)
    assert not re.search(r"(?:src|href|url\()\s*=?\s*['\"]?https?://", html)
    assert found.headings[0] == 1
    assert all(second - first <= 1 for first, second in zip(found.headings, found.headings[1:], strict=False))


def test_figures_are_those_of_the_records(html: str, pair: list[Path]) -> None:
    first, second = (json.loads(file.read_text(encoding="utf-8")) for file in pair)
    text = re.sub(r"<[^>]+>", " ", html)
    for record in (first, second):
        assert f"{record['reports'][0]['means']['scsrn']['psnr_db']:.3f}" in text
    better = second["reports"][0]["means"]["scsrn"]["psnr_db"] - first["reports"][0]["means"]["scsrn"]["psnr_db"]
    assert f"+{better:.3f}" in text
    for image, (psnr_db, _, _) in FIRST["Five"].items():
        assert image in text
        assert f"{psnr_db:.3f}" in text or f"{psnr_db:.2f}" in text


def test_what_could_not_be_measured_is_listed_with_its_reason(html: str) -> None:
    assert REASON in re.sub(r"<[^>]+>", "", html)


def test_captions_carry_commit_machine_data_and_command(html: str) -> None:
    text = re.sub(r"<[^>]+>", " ", html)
    for words in ("0123456", "Sample CPU 9", "5f5f5f5f", "pocketsr evaluate small-x3"):
        assert words in text


def test_text_of_records_is_text_and_no_markup(tmp_path: Path) -> None:
    file = tmp_path / "odd.json"
    write_record(sample_record("<script>alert(1)</script>", FIRST, data="a & b <i>"), file)
    html = make_page(compare(load_runs([file])), title="<b>").html
    read(html)
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_outputs_that_are_gone_are_said_and_do_not_stop_the_page(tmp_path: Path) -> None:
    files = write_pair(tmp_path)
    shutil.rmtree(tmp_path / "out-small-x3")
    page = make_page(compare(load_runs(files)), title="")
    read(page.html)
    assert any("out-small-x3" in note or "small-x3" in note for note in page.notes)


def test_equal_records_give_equal_pages(pair: list[Path], html: str) -> None:
    assert make_page(compare(load_runs(pair)), title="").html == html


def test_scales_stand_apart(tmp_path: Path) -> None:
    files = [tmp_path / "three.json", tmp_path / "two.json"]
    write_record(sample_record("three", FIRST), files[0])
    write_record(sample_record("two", FIRST, scale=2), files[1])
    assert [comparison.scale for comparison in compare(load_runs(files))] == [2, 3]
    text = make_page(compare(load_runs(files)), title="").html
    assert "×2" in text
    assert "×3" in text


def test_markdown_has_the_same_means(pair: list[Path]) -> None:
    text = make_markdown(compare(load_runs(pair)), title="A title")
    assert text.startswith("# A title")
    record = json.loads(pair[0].read_text(encoding="utf-8"))
    for report in record["reports"]:
        assert f"{report['means']['classic']['psnr_db']:.3f}" in text


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_the_command_writes_both_files(pair: list[Path], tmp_path: Path) -> None:
    done = run(*pair, "-o", tmp_path / "a.html", "--markdown", tmp_path / "a.md", "--title", "Mine")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / "a.html"), str(tmp_path / "a.md")]
    assert "<title>Mine</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_what_is_no_record_is_refused_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"kind": "something"}', encoding="utf-8")
    done = run(tmp_path / "other.json", "-o", tmp_path / "a.html")
    assert done.exit_code == 1
    assert "pocketsr evaluation" in done.stderr
    assert not (tmp_path / "a.html").exists()
    with pytest.raises(DataError):
        load_runs([tmp_path / "none.json"])


@pytest.mark.slow
def test_a_browser_shows_it(html: str, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    picture = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,2400"]
    subprocess.run(
        [browser, *options, f"--screenshot={picture}", f"file://{tmp_path / 'page.html'}"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape == (2400, 1200)
    dark = (pixels < 100).mean(axis=1)
    assert (dark > 0.001).mean() > 0.2  # writing and pictures all the way down


def test_the_reference_names_every_field_of_a_record() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "reference" / "report.md").read_text(encoding="utf-8")
    kinds = (Record, JudgedModel, JudgedFolder, Latency, Metric)
    names = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert not {name for name in names if f"`{name}`" not in page}
