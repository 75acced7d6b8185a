"""A device that is known by a printed table: its sums, its errors as stated, and the verb."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner

from pocketsr.bench import read_record
from pocketsr.bench.devices import find_device
from pocketsr.bench.nodes import ABPN_TABLE_1
from pocketsr.cli import main
from pocketsr.errors import UnknownNameError
from pocketsr.evaluate.official import find_table
from pocketsr.graph import Add, Concat, Conv2D, Graph, Value
from pocketsr.lower import trace
from pocketsr.networks import build
from sample_graphs import abpn_like_graph

NPU = find_device("dolphin-npu")
#: Arms of ABPN's Table 2 and networks of two challenges, milliseconds as printed; the first sets the factor.
PRINTED = {
    ("abpn", "none"): ("abpn-table2", "baseline"),
    ("abpn", "anchor"): ("abpn-table2", "+ABRL"),
    ("abpn", "feature"): ("abpn-table2", "+FSRL"),
    ("xlsr", ""): ("abpn-table4", "deepernewbie"),
    ("scsrn", ""): ("scsrn-table6", "SCSRN"),
}


def printed_ms(table: str, row: str) -> float:
    (cell,) = find_table(table).select(row=row, quantity="runtime_ms")
    return cell.value


def test_an_operator_costs_what_the_table_says_at_the_table_s_size() -> None:
    x = Value("x", 3)
    add = Graph(x, Value("y", 3), (Add((x, x), Value("y", 3)),))
    assert NPU.predict(add, (1080, 1920)) == pytest.approx(NPU.overlap * ABPN_TABLE_1["add"])
    assert NPU.predict(add, (540, 1920)) == pytest.approx(NPU.overlap * ABPN_TABLE_1["add"] / 2)


def test_a_copy_of_channels_costs_what_joining_them_does() -> None:
    by_conv, by_concat = (abpn_like_graph(anchor=anchor) for anchor in ("conv", "concat"))
    assert any(isinstance(op, Conv2D) and op.is_copy for op in by_conv.ops)
    assert any(isinstance(op, Concat) for op in by_concat.ops)
    assert NPU.predict(by_conv, (36, 64)) == pytest.approx(NPU.predict(by_concat, (36, 64)))


def test_its_stated_error_is_that_on_the_papers_networks() -> None:
    errors = []
    for (network, residual), row in PRINTED.items():
        options = {"scale": 3, **({"residual": residual} if residual else {})}
        predicted = NPU.predict(trace(build(network, options).folded()), (360, 640))
        errors.append(abs(predicted / printed_ms(*row) - 1))
    assert errors[0] < 0.005, "the factor is set by the plain network"
    assert median(errors[1:]) == pytest.approx(NPU.error, abs=0.002)
    assert errors[-1] > 1, "SCSRN ran a year later, on a newer compiler: the table does not know that"


def test_printed_times_are_the_papers() -> None:
    rows = {
        "abpn": ("abpn-table2", "+ABRL"),
        "xlsr": ("abpn-table4", "deepernewbie"),
        "scsrn": ("scsrn-table6", "SCSRN"),
    }
    assert dict(NPU.printed) == {name: printed_ms(*row) for name, row in rows.items()}


def test_the_verb_predicts_elsewhere_and_says_what_papers_measured(tmp_path: Path) -> None:
    words = ["predict", "abpn", "abpn-x3", "f2srgan", "--device", "dolphin-npu", "-o", str(tmp_path / "p.json")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert all(said in done.stdout for said in ("Synaptics Dolphin", "36.80", "+5 %", "not measured: f2srgan"))
    rows = read_record(tmp_path / "p.json").predictions
    assert [(row.backend, row.measured_ms) for row in rows] == [("dolphin-npu", 36.8), ("dolphin-npu", None)]
    sized = CliRunner().invoke(main, ["predict", "abpn", "--device", "dolphin-npu", "--size", "720p"])
    assert "36.80" not in sized.stdout


@pytest.mark.parametrize(("words", "said"), [
    (("--device", "npu"), "known: dolphin-npu, this"),
    (("--device", "dolphin-npu", "-t", "2"), "of this machine"),
    (("--device", "dolphin-npu", "-o", "none/p.json"), "there is no folder none"),
])  # fmt: skip
def test_wrong_usage_is_one_line(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, ["predict", "abpn", *words])
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    with pytest.raises(UnknownNameError):
        find_device("npu")


def test_this_machine_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def predicted(*given: object) -> tuple[tuple[()], dict[str, str]]:
        asked.append(given)
        return (), {"abpn": "stood in for"}

    monkeypatch.setattr("pocketsr.cli.bench_nodes.predicted", predicted)
    done = CliRunner().invoke(main, ["predict", "abpn", "-t", "1", "--backend", "openvino"])
    assert "a record needs a measurement" in done.stderr
    assert asked == [(("abpn",), "openvino", (1,), "360x640", 20)]
