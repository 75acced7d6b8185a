"""Writes docs/results/speed.md and its pictures from committed records of `pocketsr bench`.

bench      models beside their bars, the floor, the bare runtime, and peers
profile    operator by operator
nodes      ABPN's Table 1 on this processor
predict    networks as sums of operators
sweep      time over size
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import record

from pocketsr.bench import Measured, Record
from pocketsr.bench.nodes import ABPN_TABLE_1
from pocketsr.bench.peers import PROGRAMS
from pocketsr.weights import entries

PAGE = record.ROOT / "docs" / "results" / "speed.md"
SWEEP, PLANE = PAGE.with_name("speed-sweep.png"), PAGE.with_name("speed-plane.png")
#: int8 models that bars are read for, each with its float32 form and its ONNX file.
JUDGED = {
    "abpn-x3": ("abpn-x3-float", "abpn-x3-int8.onnx"),
    "scsrn-x3": ("scsrn-x3-float", "scsrn-x3-int8.onnx"),
}


#: Score of a model's card that is drawn over its time.
_SCORE = "Set14 scsrn PSNR dB"


def page() -> str:
    """Return the page; without a record of ``bench``, that it is missing."""
    bench = record.read_bench("bench")
    if bench is None:
        return "# Speed\n\nNo record of `pocketsr bench` is committed for this version.\n"
    machine = bench.machine
    lines = [
        "# Speed",
        "",
        f"On {machine.processor}, {machine.cores} cores ({', '.join(machine.flags)}), commit {bench.commit},",
        f"{bench.date[:10]}; {', '.join(f'{name} {number}' for name, number in bench.versions.items())}.",
        "Written by `make docs` from records in `benchmarks/results`, which hold the commands. How time is taken:",
        "[what `pocketsr bench` measures](../reference/bench.md). There is no figure of a GPU or a phone:",
        "none was at hand.",
        "",
        *_bars(bench),
        *_models(bench),
        *_peers(bench),
        *_profiles(),
        *_nodes(),
        *_predictions(),
        *_pictures(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def peers_table(bench: Record) -> list[str]:
    """Return the rows of peers beside the first model, as Markdown; none where no peer was timed."""
    first = bench.results[0]
    rows = [one for one in bench.results if one.backend.split(" ")[0] in PROGRAMS]
    if not rows:
        return []
    lines = ["| | ms a frame (median) | times as long |", "|---|---|---|"]
    lines += [
        f"| {_name(one)}, {_runner(one)} | {_median(one):.1f} | {_median(one) / _median(first):.2f} |"
        for one in [first, *rows]
    ]
    return lines


def _bars(bench: Record) -> Iterator[str]:
    yield "## Bars"
    yield ""
    yield "360×640 → 1080×1920, int8, LiteRT, by medians; in brackets by the quickest runs, the least disturbed."
    yield ""
    found = {name: _figures(bench, name, *others) for name, others in JUDGED.items()}
    yield "| bar | " + " | ".join(found) + " |"
    yield "|---|" + "---|" * len(found)
    for row, (words, limit, is_at_least, form) in enumerate(_BARS):
        cells = []
        for figures in found.values():
            value = figures[row]
            if value is None:
                cells.append("–")
                continue
            met = value[0] >= limit if is_at_least else value[0] < limit
            cells.append(f"{form(value[0])} ({form(value[1])}){'' if met else ' **missed**'}")
        yield f"| {words} | " + " | ".join(cells) + " |"
    yield ""


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _times(value: float) -> str:
    return f"{value:.2f}×"


_BARS = (
    ("share of the measured int8 peak ≥ 55 %", 0.55, True, _percent),
    ("quicker than its own float32 ≥ 3.5×", 3.5, True, _times),
    ("quicker than ONNX Runtime int8 ≥ 1.9×", 1.9, True, _times),
    ("quicker than OpenCV 5's FSRCNN, as its file computes it ≥ 6×", 6.0, True, _times),
    ("quicker than OpenCV 4's FSRCNN, as its file computes it ≥ 6×", 6.0, True, _times),
    ("quicker than OpenCV 5's FSRCNN, rewritten for speed ≥ 6×", 6.0, True, _times),
    ("array to array over the bare runtime < 3 %", 0.03, False, _percent),
)


def _figures(bench: Record, name: str, floating: str, onnx: str) -> list[tuple[float, float] | None]:
    """Return each bar's figure by medians and by minima, None where a part was not measured."""
    own = _one(bench, name, "litert")
    shares = (
        [one for one in bench.roofline.models if _short(one.model) == name and one.backend == "litert"]
        if bench.roofline
        else []
    )
    share, older = None, record.read_bench("opencv4")
    if own and shares:
        share = shares[0].share, shares[0].floor_ms / own.sizes[0].timing.min_ms
    beside = [
        _ratio(_one(bench, floating, "litert"), own),
        _ratio(_one(bench, onnx, "onnxruntime"), own),
        _ratio(_one(bench, "fsrcnn", "opencv"), own),
        older and _ratio(_one(older, "fsrcnn", "opencv"), _one(older, name, "litert")),
        _ratio(_one(bench, "fsrcnn-subpixel", "opencv"), own),
    ]
    bare = _ratio(own, _one(bench, name, "litert, bare"))
    return [share, *beside, None if bare is None else (bare[0] - 1, bare[1] - 1)]


def _ratio(slow: Measured | None, quick: Measured | None) -> tuple[float, float] | None:
    if slow is None or quick is None:
        return None
    first, second = slow.sizes[0].timing, quick.sizes[0].timing
    return first.median_ms / second.median_ms, first.min_ms / second.min_ms


def _models(bench: Record) -> Iterator[str]:
    yield "## Models"
    yield ""
    columns = (
        "model",
        "backend",
        "threads",
        "median ms",
        "IQR",
        "min",
        "1080p a second",
        "peak MB",
        "beside the reference",
    )
    yield _row(columns)
    yield "|" + "---|" * len(columns)
    for one in bench.results:
        if one.backend.split(" ")[0] in PROGRAMS:
            continue
        figures = one.sizes[0]
        exact = "–"
        if one.correctness is not None:
            exact = "same bytes" if one.correctness.is_identical else f"within {one.correctness.largest_levels}"
        timing = figures.timing
        spread, memory = f"{timing.iqr_ms or 0:.2f}", f"{one.peak_memory_mb or 0:.0f}"
        rate = f"{figures.frames_per_second['1080p']:.1f}"
        cells = (f"{timing.median_ms:.2f}", spread, f"{timing.min_ms:.2f}", rate, memory, exact)
        yield _row((_name(one), one.backend, str(one.threads), *cells))
    yield ""
    if bench.roofline is None:
        return
    peaks = bench.roofline.peaks
    yield f"Peaks with {peaks.threads} threads: float32 {peaks.float32_gmacs:.0f} GMAC/s ({peaks.float32_by}),"
    yield f"int8 {peaks.int8_gmacs:.0f} GMAC/s ({peaks.int8_by}), memory {peaks.bandwidth_gb:.0f} GB/s."
    yield ""
    yield "| model | backend | GMACs | MB moved | floor ms | share |"
    yield "|---|---|---|---|---|---|"
    for row in bench.roofline.models:
        if not row.backend.endswith("bare"):
            figures = f"{row.gmacs:.2f}", f"{row.moved_mb:.0f}", f"{row.floor_ms:.1f}", f"{100 * row.share:.0f} %"
            yield _row((_short(row.model), row.backend, *figures))
    yield ""


def _peers(bench: Record) -> Iterator[str]:
    if not (table := peers_table(bench)):
        return
    yield "## Beside others"
    yield ""
    yield "In one run, in turn, uint8 array in and out, 2 threads (Pillow has 1). Networks have random weights, which"
    yield "cost the same. `fsrcnn` is FSRCNN(56, 12, 4) as its file for OpenCV computes it, `fsrcnn-subpixel` the same"
    yield "rewritten for speed; `compact` is of the size of Real-ESRGAN's video models."
    yield ""
    yield from table
    yield ""
    older = record.read_bench("opencv4")
    if older is not None:
        yield "The same with an older OpenCV:"
        yield ""
        yield from peers_table(older)
        yield ""


def _profiles() -> Iterator[str]:
    found = record.read_bench("profile")
    if found is None:
        return
    yield "## Where the time goes"
    yield ""
    for profile in found.profiles:
        total = sum(max(0.0, one.ms) for one in profile.operators)
        how = "graphs cut after each operator" if profile.method == "truncation" else "the runtime's own clock"
        yield f"{_short(profile.model)} on {profile.backend}, by {how}:"
        yield ""
        yield "| operator | kind | ms | % | GMACs | GMAC/s |"
        yield "|---|---|---|---|---|---|"
        for one in profile.operators:
            rate = f"{one.gmacs / one.ms * 1000:.0f}" if one.gmacs and one.ms > 0 else ""
            gmacs = f"{one.gmacs:.2f}" if one.gmacs else ""
            share = f"{100 * max(0.0, one.ms) / total:.0f}"
            yield _row((one.name, one.kind, f"{one.ms:.2f}", share, gmacs, rate))
        yield ""
    yield "A convolution of 28 channels takes as long as one of 32: kernels compute sixteen outputs from eight inputs"
    yield "at a time. That, and not what stands between convolutions, is what ABPN loses to the peak."
    yield ""


def _nodes() -> Iterator[str]:
    found = record.read_bench("nodes")
    if found is None:
        return
    backends = list(dict.fromkeys(one.backend for one in found.nodes))
    times = {(one.node, one.backend): one for one in found.nodes}
    yield "## Single operators"
    yield ""
    yield "Outputs of 1080×1920 with 3 channels, int8 (the mean float32), median ms with 2 threads, beside ABPN's Table"
    yield "1 of a phone's NPU. LiteRT is slow at an int8 ReLU that stands alone; in files of ours it belongs to a"
    yield "convolution or a sum."
    yield ""
    yield "| operator | " + " | ".join(f"{name} here" for name in backends) + " | Dolphin NPU (paper) |"
    yield "|---|" + "---|" * (len(backends) + 1)
    for node in dict.fromkeys(one.node for one in found.nodes):
        cells = [f"{times[node, name].timing.median_ms:.2f}" if (node, name) in times else "–" for name in backends]
        paper = ABPN_TABLE_1.get(node)
        yield f"| {node} | " + " | ".join(cells) + f" | {'–' if paper is None else f'{paper:.1f}'} |"
    yield ""


def _predictions() -> Iterator[str]:
    found = record.read_bench("predict")
    if found is None:
        return
    yield "## Networks as sums of operators"
    yield ""
    yield "| network | kind | predicted ms | measured ms | error |"
    yield "|---|---|---|---|---|"
    for one in found.predictions:
        if one.measured_ms is not None:
            error = 100 * (one.predicted_ms / one.measured_ms - 1)
            figures = f"{one.predicted_ms:.1f}", f"{one.measured_ms:.1f}", f"{error:+.0f} %"
            yield _row((_short(one.model), one.precision, *figures))
    yield ""


def _pictures() -> Iterator[str]:
    sweep = record.read_bench("sweep")
    if sweep is not None:
        yield "## Over sizes"
        yield ""
        yield f"![Milliseconds a frame over megapixels made]({SWEEP.name})"
        yield ""
        sizes = sweep.results[0].sizes
        yield "| median ms | " + " | ".join(f"{one.height}×{one.width}" for one in sizes) + " |"
        yield "|---|" + "---|" * len(sizes)
        for one in sweep.results:
            yield f"| {_name(one)} | " + " | ".join(f"{figures.timing.median_ms:.1f}" for figures in one.sizes) + " |"
        yield ""
    if planes():
        yield "## Quality and time"
        yield ""
        yield f"![PSNR over milliseconds a frame]({PLANE.name})"
        yield ""
        yield "`pocketsr report` draws the same for any evaluations that were made with `--time`."
        yield ""


def planes() -> dict[str, tuple[float, float]]:
    """Return (milliseconds, PSNR on Set14) of every model that was both timed and judged."""
    bench = record.read_bench("bench")
    if bench is None:
        return {}
    times = {_name(one): _median(one) for one in bench.results if one.backend == "litert"}
    judged = {entry.name: entry.scores[_SCORE] for entry in entries() if _SCORE in entry.scores}
    return {name: (times[name], judged[name]) for name in times if name in judged}


def draw() -> None:
    """Draw the pictures again."""
    from pocketsr.cli.bench_plot import draw_plane, draw_sweep

    sweep = record.read_bench("sweep")
    if sweep is not None:
        draw_sweep(sweep, SWEEP)
    if points := planes():
        draw_plane(points, PLANE, quality="PSNR on Set14 (protocol scsrn), dB")


def _one(bench: Record, name: str, backend: str) -> Measured | None:
    for one in bench.results:
        known = one.backend == backend or one.backend.startswith(f"{backend} ")
        if known and _name(one) == name:
            return one
    return None


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _median(one: Measured) -> float:
    return one.sizes[0].timing.median_ms


def _runner(one: Measured) -> str:
    return one.backend.replace("pillow", "Pillow").replace("opencv", "OpenCV").replace("litert", "LiteRT")


def _name(one: Measured) -> str:
    return _short(one.model.name)


def _short(name: str) -> str:
    return Path(name).name.removesuffix(".tflite")
