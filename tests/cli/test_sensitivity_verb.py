"""``pocketsr sensitivity``: a table, or every figure as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pocketsr.cli import main
from pocketsr.networks import build
from pocketsr.networks.saved import save_network

OPTIONS = {"scale": 2, "width": 4, "depth": 1, "expansion": 4}


def saved(folder: Path, *, gain: float) -> Path:
    """An ABPN of random weights; with a gain of 0 it repeats pixels."""
    torch.manual_seed(0)
    network = build("abpn", OPTIONS)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_().mul_(0.2 * gain)
    save_network(network, folder / "abpn.safetensors", name="abpn", options=OPTIONS)
    return folder / "abpn.safetensors"


def sensitivity(network: Path, images: Path, *options: str) -> str:
    done = CliRunner().invoke(main, ["sensitivity", str(network), "--images", str(images), "--count", "1", *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_table_is_sorted_and_ends_in_advice(tmp_path: Path, image_folder: Path) -> None:
    first, header, *rows, last = sensitivity(saved(tmp_path, gain=1), image_folder, "--ptq", "mse").splitlines()
    assert "every place rounded" in first
    assert header.split()[0] == "place"
    alone = [float(row.split()[2]) for row in rows]
    assert alone == sorted(alone)
    assert len(rows) > 4
    assert last.startswith("kept wide, the ")


def test_json_has_every_figure_and_no_infinity(tmp_path: Path, image_folder: Path) -> None:
    report = json.loads(sensitivity(saved(tmp_path, gain=1), image_folder, "--json"), parse_constant=pytest.fail)
    assert report["images"] == 1
    assert 20 < report["all_db"] < 70
    assert {"place", "kind", "psnr_db", "without_db", "shift", "step"} == set(report["places"][0])


def test_where_nothing_is_lost_it_says_so(tmp_path: Path, image_folder: Path) -> None:
    assert "8 bits lose nothing" in sensitivity(saved(tmp_path, gain=0), image_folder)
    report = json.loads(sensitivity(saved(tmp_path, gain=0), image_folder, "--json"), parse_constant=pytest.fail)
    assert report["all_db"] is None
