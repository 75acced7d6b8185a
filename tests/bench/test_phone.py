"""A phone that is a script: real forms of the tool's output, errors, and an end to waiting."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.records import MODEL
from pocketsr.bench import read_record
from pocketsr.bench.adb import Adb
from pocketsr.bench.phone import CASES, measure_on_phone, read_output
from pocketsr.cli import main
from pocketsr.errors import DeviceError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a script with a first line")

#: As the tool prints it, shortened: a warm-up line, a line of runs, a summary, memory.
OLD = """STARTING!
Log parameter values verbosely: [0]
Num threads: [1]
Graph: [/data/local/tmp/pocketsr/model.tflite]
#threads used for CPU inference: [1]
Loaded model /data/local/tmp/pocketsr/model.tflite
The input model file size (MB): 0.0543
Initialized session in 18.777ms.
Running benchmark for at least 3 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=9 first=64791 curr=56295 min=54873 max=65831 avg=57758.2 std=4065

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=58154 curr=53809 min=53077 max=60727 avg=55043.2 std=1562

Inference timings in us: Init: 18777, First inference: 64791, Warmup (avg): 57758.2, Inference (avg): 55043.2
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual.
Memory footprint delta from the start of the tool (MB): init=8.97656 overall=18.7227
"""
NEW = """INFO: STARTING!
INFO: Loaded model /data/local/tmp/pocketsr/model.tflite
INFO: GPU delegate created.
VERBOSE: Replacing 12 out of 14 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 3 partitions.
INFO: count=31 first=21015 curr=9127 min=8999 max=21015 avg=9900.1 std=2100 p5=9001 median=9101 p95=12000
INFO: count=110 first=9102 curr=9043 min=8950 max=9600 avg=9100.5 std=99 p5=8990 median=9080 p90=9230 p95=9300
INFO: Inference timings in us: Init: 412345, First inference: 21015, Warmup (avg): 9900.1, Inference (avg): 9100.5
INFO: Memory footprint delta from the start of the tool (MB): init=20.1 overall=40.5
INFO: Overall peak memory footprint (MB) via periodic monitoring: 100.0
"""
FALLEN_BACK = NEW.replace("Replacing 12 out of 14", "Replacing 0 out of 14")
REFUSED = """INFO: STARTING!
ERROR: Following operations are not supported by GPU delegate: ADD: quantized
ERROR: Failed to apply GPU delegate.
ERROR: Benchmarking failed.
"""


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "devices").write_text("List of devices attached\nABC123\tdevice\n\n")
    for name in ("cpu1", "cpu2", "cpu4", "cpu8", "nnapi"):
        (folder / name).write_text(OLD)
    (folder / "gpu").write_text(NEW)
    program = tmp_path / "adb"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {Path(__file__).with_name("fake_adb.py")} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "benchmark_model").write_text("of the phone")
    monkeypatch.setenv("FAKE_ADB", str(folder))
    return folder


def _adb(phone: Path) -> Adb:
    return Adb.find(program=str(phone.parent / "adb"))


def _log(phone: Path) -> list[str]:
    return (phone / "log").read_text().splitlines()


def test_old_output_tells_an_average_and_a_growth() -> None:
    told = read_output(OLD)
    assert (told.timing.median_ms, told.timing.min_ms, told.timing.runs) == (55.0432, 53.077, 50)
    assert (told.has_median, told.timing.p90_ms, told.timing.iqr_ms) == (False, None, None)
    assert (told.init_ms, told.first_ms) == (18.777, 64.791)
    assert told.memory_mb == pytest.approx(19.6), "10⁶ bytes, the tool counts in 2²⁰"
    assert told.delegated is None


def test_new_output_tells_median_nine_tenths_and_the_delegate() -> None:
    told = read_output(NEW)
    assert (told.timing.median_ms, told.timing.p90_ms, told.timing.mean_ms) == (9.08, 9.23, 9.1005)
    assert (told.has_median, told.memory_mb, told.delegated) == (True, 104.9, (12, 14))


def test_a_single_slow_run_in_powers_of_ten_is_read() -> None:
    text = (
        "count=1 curr=3512391\ncount=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798"
    )
    text += (
        "\nInference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.5e+06, Inference (avg): 3"
    )
    assert read_output(text).timing.mean_ms == pytest.approx(2950.34)
    single = read_output(text.replace("count=50 first", "kount=50 first")).timing
    assert (single.median_ms, single.min_ms, single.runs) == (3512.391, 3512.391, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [(REFUSED, "Benchmarking failed"), ("", "nothing"), ("Segmentation fault\n", "Segmentation fault"),
     (OLD.partition("Inference timings")[0], "no timings")],
)  # fmt: skip
def test_output_without_an_end_is_an_error_in_its_own_words(text: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        read_output(text)


def test_every_case_is_run_and_the_phone_left_clean(phone: Path) -> None:
    tool = phone.parent / "benchmark_model"
    found, failed = measure_on_phone(_adb(phone), b"model", MODEL, tool, (360, 640), runs=30)
    assert not failed
    assert [(one.backend, one.threads) for one in found] == [(case.backend, case.threads) for case in CASES]
    assert found[0].sizes[0].frames_per_second["1080p"] == pytest.approx(1000 / 55.0432, abs=1e-3)
    assert found[0].remarks == ("the tool told no median; its average stands in that place",)
    assert found[4].remarks == ("the delegate took over 12 of 14 operators",)
    assert "does not say which" in found[5].remarks[1]
    log = _log(phone)
    assert sum("push" in line for line in log) == 2
    assert sum("--num_runs=30" in line for line in log) == len(CASES)
    assert "rm -rf /data/local/tmp/pocketsr" in log[-1]


def test_a_case_that_fails_does_not_stop_the_others(phone: Path) -> None:
    (phone / "gpu").write_text("exit 1\n" + REFUSED)
    (phone / "nnapi").write_text(FALLEN_BACK)
    (phone / "cpu4").write_text("")
    tool = phone.parent / "benchmark_model"
    found, failed = measure_on_phone(_adb(phone), b"model", MODEL, tool, (360, 640), runs=30)
    assert [(one.backend, one.threads) for one in found] == [("adb cpu", count) for count in (1, 2, 8)]
    assert "Benchmarking failed" in failed["adb gpu"]
    assert "took none of the operators" in failed["adb nnapi"]
    assert "gave no timings: nothing" in failed["adb cpu, 4 threads"]
    assert "rm -rf" in _log(phone)[-1]


def test_waiting_ends(phone: Path) -> None:
    (phone / "cpu1").write_text("sleep 60\n" + OLD)
    tool = phone.parent / "benchmark_model"
    with pytest.raises(DeviceError, match=r"no answer within 0\.3 s to: .*benchmark_model"):
        measure_on_phone(_adb(phone), b"", MODEL, tool, (8, 8), runs=1, cases=CASES[:1], timeout_s=0.3)
    assert "rm -rf" in _log(phone)[-1]


def test_nothing_measured_is_an_error(phone: Path) -> None:
    for case in ("cpu1", "cpu2", "cpu4", "cpu8", "gpu", "nnapi"):
        (phone / case).write_text("exit 1\n/system/bin/sh: benchmark_model: not executable: 64-bit ELF file\n")
    with pytest.raises(DeviceError, match=r"nothing could be measured on ABC123: .*64-bit ELF"):
        measure_on_phone(_adb(phone), b"", MODEL, phone.parent / "benchmark_model", (8, 8), runs=1)
    with pytest.raises(DeviceError, match="nightly build"):
        measure_on_phone(_adb(phone), b"", MODEL, phone.parent / "none", (8, 8), runs=1)


@pytest.mark.parametrize(
    ("devices", "serial", "words"),
    [
        ("", None, "no Android device is connected"),
        ("A\tdevice\nB\tdevice\n", None, "choose one by --serial: A, B"),
        ("A\tdevice\n", "B", "no device 'B' is connected; there are: A"),
        ("A\tunauthorized\n", None, "A is unauthorized: unlock it"),
        ("A\toffline\n", "A", "A is offline"),
    ],
)
def test_a_device_that_is_not_ready_is_told(phone: Path, devices: str, serial: str | None, words: str) -> None:
    (phone / "devices").write_text(f"List of devices attached\n{devices}\n")
    with pytest.raises(DeviceError, match=words):
        Adb.find(serial, program=str(phone.parent / "adb"))


def test_adb_itself_may_be_missing_or_no_program(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="platform-tools"):
        Adb.find(program=str(tmp_path / "none"))
    (tmp_path / "text").write_text("no program")
    with pytest.raises(DeviceError, match="cannot be run"):
        Adb.find(program=str(tmp_path / "text"))


def test_a_phone_says_what_it_is(phone: Path) -> None:
    machine = _adb(phone).machine()
    assert (machine.processor, machine.system, machine.cores) == ("Acme Pocket 9", "Android 15", 8)
    assert (machine.flags, machine.memory_gb, machine.governor) == (("asimddp", "i8mm"), 8.2, "")


def _bench(phone: Path, *words: object) -> Result:
    given = ["--adb", "--adb-program", phone.parent / "adb", "--benchmark-model", phone.parent / "benchmark_model"]
    return CliRunner().invoke(main, ["bench", *map(str, given), *map(str, words)])


def test_the_command_writes_the_same_record(phone: Path, tmp_path: Path) -> None:
    (phone / "nnapi").write_text("exit 1\n" + REFUSED)
    done = _bench(phone, "abpn-x3", "--serial", "ABC123", "--size", "1080p", "-o", tmp_path / "r.json")
    assert done.exit_code == 0, done.stderr
    record = read_record(tmp_path / "r.json")
    assert record.machine.processor == "Acme Pocket 9"
    assert record.idle is None
    assert len(record.results) == 5
    assert list(record.failed) == ["adb nnapi"]
    for words in ("Acme Pocket 9, 8 cores", "adb gpu", "12 of 14", "not measured: adb nnapi", "not compared"):
        assert words in done.stdout


def test_wrong_usage_is_told(phone: Path) -> None:
    done = CliRunner().invoke(main, ["bench", "--adb"])
    assert (done.exit_code, "--benchmark-model" in done.stderr) == (2, True)
    done = _bench(phone, "abpn-x3", "--roofline")
    assert (done.exit_code, "takes one MODEL" in done.stderr) == (2, True)
    done = _bench(phone, "abpn-x3", "--serial", "XYZ")
    assert (done.exit_code, "no device 'XYZ'" in done.stderr) == (1, True)
