"""A model on a phone: Google's ``benchmark_model`` there, on its processor, GPU and accelerator.

    model file ── written at the size ──> push ──> benchmark_model, case after case ──> its output ──> record

The tool is whoever asks's own: built from LiteRT, or its nightly build. Knows devices only by ``Adb``.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pocketsr.bench.adb import Adb
from pocketsr.bench.latency import Timing
from pocketsr.bench.measure import size_figures
from pocketsr.bench.record import Measured, MeasuredModel
from pocketsr.bench.sizes import Size
from pocketsr.errors import DeviceError

#: A folder on the device where programs may be run without being installed.
_FOLDER = "/data/local/tmp/pocketsr"
#: Seconds that a case may take: the tool stops measuring after 150 by itself, a GPU's first compilation comes before.
_TIMEOUT_S = 400.0
_MIB = 1.048576


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One way to run a model on a phone.

    Attributes:
        backend: Its name in the record.
        threads: Processor threads; 0 where it is no processor.
        flags: Of ``benchmark_model``.
    """

    backend: str
    threads: int
    flags: tuple[str, ...]


#: What is measured, in order.
CASES: tuple[Case, ...] = (
    *(Case(backend="adb cpu", threads=count, flags=(f"--num_threads={count}",)) for count in (1, 2, 4, 8)),
    Case(backend="adb gpu", threads=0, flags=("--use_gpu=true",)),
    Case(backend="adb nnapi", threads=0, flags=("--use_nnapi=true",)),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """What ``benchmark_model`` told.

    Attributes:
        timing: Of the counted runs.
        has_median: Whether it told a median; otherwise its average stands in that place.
        init_ms: Opening the file and preparing the delegate, milliseconds.
        first_ms: The first run, milliseconds.
        memory_mb: Peak memory, 10⁶ bytes; None where it told none.
        delegated: (operators taken over, operators in all) by a delegate; None where it told nothing of one.
    """

    timing: Timing
    has_median: bool
    init_ms: float
    first_ms: float
    memory_mb: float | None
    delegated: tuple[int, int] | None


def read_output(text: str) -> Told:
    """Read what ``benchmark_model`` printed, old forms and new.

    Raises:
        DeviceError: It did not come to an end; the message holds its own words.
    """
    summary = re.search(r"Inference timings in us: Init: (\S+), First inference: (\S+), Warmup", text)
    lines = re.findall(r"^.*?\bcount=(\d+) (.*)$", text, re.MULTILINE)
    if summary is None or not lines:
        wrong = [line.strip() for line in text.splitlines() if re.search(r"error|fail|abort|cannot|denied", line, re.I)]
        raise DeviceError(f"benchmark_model gave no timings: {(wrong or text.strip().splitlines() or ['nothing'])[-1]}")
    count, rest = lines[-1]  # the first such line is the warm-up
    told = {name: float(number) / 1000 for name, number in re.findall(r"(\w+)=([\d.e+]+)", rest)}
    only = told.get("curr", 0.0)  # of a single run it tells nothing else
    mean = told.get("avg", only)
    median = told.get("median", told.get("p50"))
    timing = Timing(
        median_ms=mean if median is None else median,
        iqr_ms=None,
        min_ms=min(told.get("min", only), mean if median is None else median),
        mean_ms=mean,
        p90_ms=told.get("p90"),
        runs=int(count),
    )
    nodes = re.search(r"Replacing (\d+) out of (\d+) node", text)
    return Told(
        timing=timing,
        has_median=median is not None,
        init_ms=float(summary.group(1)) / 1000,
        first_ms=float(summary.group(2)) / 1000,
        memory_mb=_memory(text),
        delegated=(int(nodes.group(1)), int(nodes.group(2))) if nodes else None,
    )


def measure_on_phone(
    adb: Adb,
    content: bytes,
    model: MeasuredModel,
    tool: Path,
    size: Size,
    *,
    runs: int,
    cases: Sequence[Case] = CASES,
    on_step: Callable[[str], None] = lambda _: None,
    timeout_s: float = _TIMEOUT_S,
) -> tuple[tuple[Measured, ...], Mapping[str, str]]:
    """Run a model in every case.

    Args:
        adb: The device.
        content: The model file, written at ``size``: delegates do not resize.
        model: What the record says of it.
        tool: ``benchmark_model`` for the device, on this computer.
        size: (height, width) of the input.
        runs: At least so many are counted.
        cases: What is measured.
        on_step: Told in words what comes next.
        timeout_s: Seconds that a case may take.

    Returns:
        Measurements, and for cases that failed the reason.

    Raises:
        DeviceError: The device cannot be reached, or all cases failed.
    """
    if not tool.is_file():
        raise DeviceError(f"there is no {tool}: build LiteRT's benchmark_model for the phone, or get its nightly build")
    done, failed = [], {}
    adb.shell(["mkdir", "-p", _FOLDER])
    try:
        _push(adb, content, tool)
        for case in cases:
            on_step(f"{case.backend}, {case.threads} threads")
            words = [f"{_FOLDER}/benchmark_model", f"--graph={_FOLDER}/model.tflite", f"--num_runs={runs}"]
            words += ["--warmup_runs=3", "--report_peak_memory_footprint=true", *case.flags]
            try:
                told = read_output(adb.shell(words, timeout_s=timeout_s))
                _require_delegate(case, told)
            except DeviceError as error:
                failed[f"{case.backend}, {case.threads} threads" if case.threads else case.backend] = str(error)
                continue
            done.append(_measured(case, told, model, size))
    finally:
        _clean(adb)
    if not done:
        raise DeviceError(f"nothing could be measured on {adb.serial}: {next(iter(failed.values()), 'no case')}")
    return tuple(done), failed


def _push(adb: Adb, content: bytes, tool: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        adb.push(file, f"{_FOLDER}/model.tflite")
    adb.push(tool, f"{_FOLDER}/benchmark_model")
    adb.shell(["chmod", "755", f"{_FOLDER}/benchmark_model"])


def _clean(adb: Adb) -> None:
    try:
        adb.shell(["rm", "-rf", _FOLDER])
    except DeviceError:  # it went away; the error before this one says so
        return


def _require_delegate(case: Case, told: Told) -> None:
    """Refuse figures of a delegate that took nothing over: the tool runs on the processor then, and does not fail."""
    if case.threads == 0 and told.delegated is not None and told.delegated[0] == 0:
        raise DeviceError("the delegate took none of the operators over; the processor would have been measured")


def _measured(case: Case, told: Told, model: MeasuredModel, size: Size) -> Measured:
    remarks = [] if told.has_median else ["the tool told no median; its average stands in that place"]
    if case.threads == 0:
        taken, of_all = told.delegated or (None, None)
        words = "the tool does not say which operators the delegate took over"
        remarks.append(words if taken is None else f"the delegate took over {taken} of {of_all} operators")
    return Measured(
        model=model,
        backend=case.backend,
        threads=case.threads,
        load_ms=told.init_ms,
        peak_memory_mb=told.memory_mb,
        correctness=None,
        sizes=(size_figures(size, model.scale, told.first_ms, told.timing),),
        remarks=tuple(remarks),
    )


def _memory(text: str) -> float | None:
    """Return the peak of the process where the tool watched it, else the largest growth it noticed."""
    watched = re.search(r"Overall peak memory footprint \(MB\) via periodic monitoring: ([\d.]+)", text)
    grown = re.search(r"[Mm]emory footprint.*\(MB\): init=\S+ overall=([\d.]+)", text)
    found = watched or grown
    return round(float(found.group(1)) * _MIB, 1) if found else None
