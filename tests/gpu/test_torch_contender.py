"""A network in torch beside model files, in ``pocketsr bench``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pocketsr.bench import Asked, Idleness, ProcessContender, read_record
from pocketsr.cli import main
from pocketsr.errors import SettingError
from pocketsr.gpu.torch_contender import TorchContender, backend_name, torch_device
from pocketsr.networks import build
from pocketsr.networks.saved import save_network


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("saved") / "small.safetensors"
    options = {"scale": 2, "width": 8}
    save_network(build("lrsrn", options), path, name="lrsrn", options=options, source="nothing")
    return path


@pytest.mark.parametrize(("backend", "levels"), [("torch", 0), ("torch:cpu:bf16:channels-last", 12)])
def test_it_is_loaded_timed_and_compared_with_itself_in_float32(saved: Path, backend: str, levels: int) -> None:
    contender = TorchContender(Asked(model=str(saved), backend=backend, threads=1))
    _, spec = contender.load()
    assert (spec.network, spec.scale, spec.data) == ("lrsrn", 2, "nothing")
    assert contender.prepare((8, 10), 1) > 0
    assert len(contender.run(2)) == 2
    found = contender.compare()
    assert found is not None
    assert found.largest_levels <= levels


def test_it_has_a_process_of_its_own_and_a_row_in_the_record(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocketsr.bench.watch", lambda: Idleness(busy=0.0, load=0.0))
    words = ["bench", str(saved), "-t", "1", "--size", "8x10", "--runs", "2", "--form", "channels-last"]
    words += ["--backend", "torch"]
    done = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "r.json")])
    assert done.exit_code == 0, done.output
    results = read_record(tmp_path / "r.json").results
    assert [one.backend for one in results] == ["torch:cpu:fp32:channels-last"]
    assert all(len(one.model.sha256) == 64 for one in results)


def test_what_is_not_here_is_refused_in_one_line(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="finds no NVIDIA device"):
        torch_device("cuda")
    with pytest.raises(SettingError, match="a device is cpu or cuda"):
        torch_device("tpu9")
    for words, said in (
        ([str(saved), "--device", "cuda"], "no NVIDIA device"),
        (["abpn-x3", "--backend", "torch"], "torch runs networks"),
        (["abpn-x3", "--device", "cuda"], "export abpn-x3 as ONNX"),
        ([str(saved), "--form", "graphs"], "did you mean 'graph'"),
    ):
        done = CliRunner().invoke(main, ["bench", *words])
        assert (done.exit_code, done.stderr.count("\n"), said in done.stderr) == (2, 1, True), done.stderr
    missing = ProcessContender(
        Asked(model=str(tmp_path / "none.safetensors"), backend="torch", threads=1),
        worker="pocketsr.gpu.torch_contender",
    )
    with pytest.raises(Exception, match=r"none\.safetensors"):
        missing.load()
    missing.close()


def test_a_device_of_several_is_told_by_its_number(saved: Path) -> None:
    contender = TorchContender(
        Asked(model=str(saved), backend=backend_name("cuda:1", "fp16", "channels-last"), threads=1)
    )
    with pytest.raises(SettingError, match="there is no cuda:1 here"):
        contender.load()


def test_a_luma_network_is_sent_to_model_files(tmp_path: Path) -> None:
    path = tmp_path / "espcn.safetensors"
    save_network(build("espcn", {"scale": 2}), path, name="espcn", options={"scale": 2})
    contender = TorchContender(Asked(model=str(path), backend=backend_name("cpu", "fp32", "eager"), threads=1))
    with pytest.raises(SettingError, match="export it first"):
        contender.load()
