"""Protocols are listed, explained, and told apart in words and in decibels."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.evaluate import PROTOCOLS, bicubic, evaluate, find_protocol


def protocols(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["protocols", *map(str, arguments)])


def test_all_are_listed_with_their_source() -> None:
    lines = protocols().stdout.splitlines()
    assert [line.split()[0] for line in lines] == [protocol.name for protocol in PROTOCOLS]
    assert "classic (carn, imdn)" in protocols().stdout


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_each_is_explained(protocol) -> None:
    text = protocols(protocol.name).stdout
    assert protocol.source in text
    assert protocol.note in text
    assert "pixels left out" in text


def test_two_are_compared_by_what_differs() -> None:
    text = protocols("scsrn", "abpn").stdout
    assert "0 pixels left out  →  1 pixels left out" in text
    assert "channels" not in text
    assert "they are the same" in protocols("carn", "imdn").stdout


def test_decibels_add_up_to_the_distance(image_folder: Path) -> None:
    done = protocols("scsrn", "classic", "--data", image_folder, "-s", 3)
    assert done.exit_code == 0, done.output
    chosen = [find_protocol(name) for name in ("scsrn", "classic")]
    report = evaluate(bicubic(3), image_folder, scale=3, protocols=chosen, with_ssim=False)
    first, second = (report.mean(protocol.name).psnr_db for protocol in chosen)
    rows = done.stdout.split("PSNR in dB:")[1].splitlines()[1:]
    assert float(rows[0].split()[0]) == pytest.approx(first, abs=6e-4)
    assert sum(float(row.split()[1]) for row in rows[1:-1]) == pytest.approx(second - first, abs=3e-3)
    assert f"{second - first:+.3f} dB" in rows[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scsrn", "abpn", "carn"), "or two compared, not 3"),
        (("scsrn", "--data", "."), "name both"),
        (("scsm",), "did you mean 'scsrn'"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments: tuple[str, ...], words: str) -> None:
    done = protocols(*arguments)
    assert done.exit_code == 2
    assert words in done.output
