"""``pocketsr bench`` on a small model: tables, the record, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.records import PEAKS, RECORD
from pocketsr.bench import Idleness, read_record
from pocketsr.bench import roofline as roofline_module
from pocketsr.cli import bench as module
from pocketsr.cli import main
from pocketsr.cli.bench_tables import print_record
from pocketsr.graph.tflite import write_model
from pocketsr.runtime import BACKENDS
from sample_graphs import abpn_like_graph, spec_for


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("pocketsr.bench.watch", lambda: Idleness(busy=0.0, load=0.0))
    monkeypatch.setattr(roofline_module, "peaks_of_machine", lambda _: PEAKS)
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), tmp_path / "[small].tflite")
    return tmp_path / "[small].tflite"


def bench(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, words)])


def test_tables_and_the_record_say_the_same(model: Path, tmp_path: Path) -> None:
    options = ("-t", 1, "--size", "8x9", "--size", "720p", "--runs", 2, "--roofline", "--profile")
    done = bench(model, *options, "-o", tmp_path / "r.json")
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    record = read_record(tmp_path / "r.json")
    (measured,) = record.results
    assert (measured.backend, measured.threads, measured.model.precision) == ("litert", 1, "int8")
    assert [(one.height, one.width) for one in measured.sizes] == [(8, 9), (240, 427)]
    assert measured.correctness is not None
    assert measured.correctness.is_identical
    assert record.roofline is not None
    assert len(record.roofline.models) == 2
    assert record.profiles[0].method == "truncation"
    for words in (
        "same bytes",
        "240×427",
        "peaks with 2 threads",
        "by graphs cut after each operator",
        "[small].tflite",
    ):
        assert words in done.stdout
    assert f"{measured.sizes[0].timing.median_ms:.2f}" in done.stdout


def test_json_is_the_record(model: Path) -> None:
    done = bench(model, "-t", 1, "--size", "8x8", "--runs", 1, "--json")
    found = json.loads(done.stdout)
    assert (found["kind"], len(found["results"])) == ("pocketsr benchmark", 1)


def test_a_busy_machine_is_warned_of_or_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketsr.bench.watch", lambda: Idleness(busy=0.9, load=2.0))
    done = bench(model, "-t", 1, "--size", "8x8", "--runs", 1)
    assert done.exit_code == 0
    assert done.stderr.startswith("warning: the machine is not idle: 90 % of its cores busy")
    done = bench(model, "--strict")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "leave out --strict" in done.stderr


def test_backends_go_by_name_by_file_and_all(model: Path) -> None:
    def names(backends: str | None, file: str = str(model)) -> list[str]:
        return [asked.backend for asked in module.contenders([file], backends, (1,))]

    assert names(None) == ["litert"]
    assert names(None, "m.onnx") == ["onnxruntime"]
    assert names("reference, litert,onnxruntime") == ["reference", "litert"], "onnxruntime runs no .tflite"
    assert names("all")[0] == "litert"
    assert "reference" not in names("all"), "nobody waits for it"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--backend", "fast"), 2, "name those to measure"),
        (("--backend", "onnxruntime"), 2, "is a .tflite file, which litert, openvino, reference run"),
        (("--backend", "cuda"), 2, "unknown backend 'cuda'"),
        (("--size", "big"), 2, "HEIGHTxWIDTH"),
        (("-o", "none/r.json"), 2, "there is no folder none"),
        (("--runs", "0"), 2, "runs"),
    ],
)
def test_wrong_usage_is_one_line(model: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = bench(model, "-t", 1, *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_file_is_named_and_no_process_is_left(tmp_path: Path) -> None:
    done = bench(tmp_path / "none.tflite", "-t", 1)
    assert done.exit_code == 1
    assert "none.tflite" in done.stderr.splitlines()[-1]


def test_its_page_names_every_option_and_backend() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "bench.md").read_text(encoding="utf-8")
    options = [max(parameter.opts, key=len) for parameter in module.command.params if parameter.name != "models"]
    assert [option for option in options if f"`{option}" not in page] == []
    assert [backend.name for backend in BACKENDS if f"| `{backend.name}` |" not in page] == []


def test_every_part_of_a_record_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_record(RECORD)
    printed = capsys.readouterr().out
    for words in (
        "Quick, 2 cores, avx2",
        "within 1",
        "all of it",
        "+10 %",
        "18.7",
        "not measured: gpu: none",
        "50.0",
        "50 %",
        "Conv2D 3×3",
        "m[x]",
    ):
        assert words in printed
    assert max(map(len, printed.splitlines())) <= 180
