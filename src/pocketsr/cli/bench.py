"""``pocketsr bench``: how fast models run here, beside what this machine could do, and whether they are still right."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.bench import Asked, Idleness, Machine, Measured, Record
    from pocketsr.bench.record import NodeTime, Prediction, Profile, Roofline
    from pocketsr.errors import PocketsrError

#: What ``--backend all`` looks for: the package of each backend that may be missing.
_PACKAGES = {"litert": "ai_edge_litert", "openvino": "openvino", "onnxruntime": "onnxruntime"}


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--backend", "backends", help="Names with commas, or all that are installed  [default: by the file].")
@click.option("--device", default="cpu", show_default=True, help="cuda runs onnxruntime and torch on a GPU.")
@click.option(
    "--precision", default="fp32", show_default=True, type=click.Choice(["fp32", "fp16", "bf16"]), help="Of torch."
)
@click.option(
    "--form", "forms", multiple=True, default=("eager",), show_default=True, help="Of torch: eager, channels-last, "
    "compiled, graph, compiled-graph. May be repeated.",
)  # fmt: skip
@click.option("-t", "--threads", multiple=True, type=click.IntRange(1, 1024), help="May be repeated  [default: all].")
@click.option(
    "--size", "sizes", multiple=True, default=("360x640",), show_default=True, help="HEIGHTxWIDTH of the input, or "
    "720p, 1080p, 4K of the output. May be repeated.",
)  # fmt: skip
@click.option("--runs", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Frames that are counted.")
@click.option("--bare", "with_bare", is_flag=True, help="Time the runtime alone, too: what turning pixels costs.")
@click.option("--peers", "with_peers", is_flag=True, help="Time what others offer in the same run, too.")
@click.option(
    "--peer", "peer_files", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="A .pb, .onnx or "
    ".tflite for OpenCV, or a .param for ncnn, to be timed, too. May be repeated.",
)  # fmt: skip
@click.option("--profile", "is_profiled", is_flag=True, help="Time operator by operator, too.")
@click.option("--roofline", "has_roofline", is_flag=True, help="Measure this machine's peaks, too, and show the share.")
@click.option("--nodes", "has_nodes", is_flag=True, help="Time single operators at 1080p instead, as ABPN's Table 1.")
@click.option("--adb", "on_phone", is_flag=True, help="Measure one MODEL on an Android phone instead.")
@click.option("--serial", help="Which phone, where several are connected.")
@click.option("--benchmark-model", "tool", type=click.Path(path_type=Path), help="Google's benchmark_model, for --adb.")
@click.option("--adb-program", default="adb", show_default=True, help="The command adb.")
@click.option("--strict", is_flag=True, help="Refuse to measure while the machine is not idle.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Record to write (JSON).")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw time over size, .png or .svg; needs two --size.")
@click.option("--json", "as_json", is_flag=True, help="Print the record instead of tables.")
def command(
    models: tuple[str, ...],
    backends: str | None,
    device: str,
    precision: str,
    forms: tuple[str, ...],
    threads: tuple[int, ...],
    sizes: tuple[str, ...],
    runs: int,
    with_bare: bool,
    with_peers: bool,
    peer_files: tuple[Path, ...],
    is_profiled: bool,
    has_roofline: bool,
    has_nodes: bool,
    on_phone: bool,
    serial: str | None,
    tool: Path | None,
    adb_program: str,
    strict: bool,
    output: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Time each MODEL, a name from `pocketsr models` or a .tflite or .onnx file  [default: pocket-x3].

    A .safetensors or .pt is timed in torch.

    Each model on each backend runs in a process of its own, all take turns, and pixels are compared with the reference
    backend's. Leave the machine alone meanwhile.
    """
    for target in (output, plot):
        if target is not None and not target.absolute().parent.is_dir():
            raise click.UsageError(f"there is no folder {target.parent} to write {target.name} in; create it first")
    if plot is not None and len(sizes) < 2:
        raise click.UsageError("--plot draws time over size: give --size more than once")
    from pocketsr.bench import write_record
    from pocketsr.weights import DEFAULT_MODEL

    is_beside = is_profiled or has_roofline or with_bare or with_peers or bool(peer_files)
    if has_nodes and (models or on_phone or is_beside):
        raise click.UsageError("--nodes goes without a MODEL, --adb, and what is timed beside models")
    models = models or (DEFAULT_MODEL,)
    if has_nodes:
        from pocketsr.cli.bench_nodes import timed_nodes

        idle = watched(strict)
        nodes, failed = timed_nodes(backends, threads, runs)
        found = make_record((), idle, nodes=nodes, failed=failed)
    elif on_phone:
        if len(models) > 1 or len(sizes) > 1 or backends or threads or is_beside:
            raise click.UsageError("--adb takes one MODEL and one --size, and chooses backends and threads itself")
        from pocketsr.cli.bench_phone import measured_on_phone

        machine, results, wrong = measured_on_phone(
            models[0], sizes[0], runs, serial=serial, program=adb_program, tool=tool
        )
        found = make_record(results, None, machine=machine, failed=wrong)
    else:
        from pocketsr.cli.bench_peers import peers

        networks_in_torch = [model for model in models if model.endswith((".safetensors", ".pt"))]
        backends, names_torch = _without_torch(backends)
        if names_torch and not networks_in_torch:
            raise click.UsageError("torch runs networks, .safetensors or .pt; name one")
        asked = contenders(
            [model for model in models if model not in networks_in_torch], backends, threads, device=device,
            with_bare=with_bare,
        )  # fmt: skip
        asked += in_torch(networks_in_torch, threads, device=device, precision=precision, forms=forms)
        counts = tuple(dict.fromkeys(one.threads for one in asked))
        with peers(_scale(models[0]), counts, peer_files, is_asked=with_peers) as others:
            idle = watched(strict)
            of_all = _measured([*asked, *others.asked], sizes, runs, leaves_out=others.leaves_out)
            results = tuple(others.named(one) for one in of_all)
        ours = of_all[: len(asked)]
        roofline = _roofline(ours) if has_roofline else None
        profiles = _profiles(ours) if is_profiled else ()
        found = make_record(results, idle, roofline=roofline, profiles=profiles, failed=others.absent)
    if output is not None:
        write_record(found, output)
    if plot is not None:
        from pocketsr.cli.bench_plot import draw_sweep

        draw_sweep(found, plot)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        from pocketsr.cli.bench_tables import print_record

        print_record(found)


def contenders(
    models: Sequence[str],
    backends: str | None,
    threads: Sequence[int],
    *,
    device: str = "cpu",
    with_bare: bool = False,
) -> list[Asked]:
    """Return every model on every backend that runs its kind of file, with every number of threads.

    Args:
        models: Names or paths.
        backends: As given, None by the file.
        threads: As given, empty for all cores.
        device: As given; ``cuda`` is for ``.onnx`` files.
        with_bare: The runtime alone, too, where that can be timed.

    Raises:
        UnknownNameError: No backend or model has that name.
    """
    from pocketsr.bench import Asked
    from pocketsr.bench.bare import BARE
    from pocketsr.runtime import BACKENDS, find_backend, model_path
    from pocketsr.runtime.backend import usable_cores

    if backends == "all":
        chosen = [one for one in BACKENDS if one.name in _PACKAGES and importlib.util.find_spec(_PACKAGES[one.name])]
    else:
        names = [name.strip() for name in (backends or "").split(",") if name.strip()]
        chosen = [find_backend(name) for name in names]
        if choosers := [one.name for one in chosen if one not in BACKENDS]:
            raise click.UsageError(f"{choosers[0]} chooses a backend; name those to measure, or all")
    found = []
    for model in models:
        suffix = ".onnx" if model_path(model).suffix == ".onnx" else ".tflite"
        if device != "cpu" and suffix != ".onnx":
            raise click.UsageError(f"--device {device} runs .onnx files and networks in torch; export {model} as ONNX")
        known = chosen if device == "cpu" and chosen else [one for one in chosen or BACKENDS if one.device == device]
        fitting = [one for one in known if one.suffix == suffix]
        if not fitting:
            able = ", ".join(one.name for one in BACKENDS if one.suffix == suffix)
            where = "" if device == "cpu" else f", and of them {device} the one that ends so"
            raise click.UsageError(
                f"{model} is a {suffix} file, which {able} run{where}; name one of them by --backend"
            )
        for one in fitting if chosen else fitting[:1]:
            for count in threads or (usable_cores(),):
                found.append(Asked(model=model, backend=one.name, threads=count))
                if with_bare and one.name in BARE:
                    found.append(Asked(model=model, backend=one.name, threads=count, is_bare=True))
    return found


def _without_torch(backends: str | None) -> tuple[str | None, bool]:
    """Return the names without ``torch``, which networks are run by whatever is named, and whether it was there."""
    names = [name.strip() for name in (backends or "").split(",") if name.strip()]
    return ",".join(name for name in names if name != "torch") or None, "torch" in names


def in_torch(
    networks: Sequence[str], threads: Sequence[int], *, device: str, precision: str, forms: Sequence[str]
) -> list[Asked]:
    """Return every saved network in every form.

    Raises:
        MissingExtraError: torch is not installed.
        SettingError: There is no such device here.
        UnknownNameError: No form has that name.
    """
    if not networks:
        return []
    from pocketsr.bench import Asked
    from pocketsr.cli.torch import import_torch
    from pocketsr.runtime.backend import usable_cores

    import_torch()
    from pocketsr.gpu.forms import find_form
    from pocketsr.gpu.torch_contender import backend_name, torch_device

    torch_device(device)
    return [
        Asked(model=network, backend=backend_name(device, precision, find_form(form).name), threads=count)
        for network in networks
        for form in forms
        for count in threads or (usable_cores(),)
    ]


def _scale(model: str) -> int:
    """Return a model's factor; 3, this field's usual one, of a file that does not say."""
    from pocketsr.graph.tflite import read_spec
    from pocketsr.runtime import model_path

    path = Path(model) if model.endswith((".safetensors", ".pt")) else model_path(model)
    return read_spec(path).scale if path.suffix == ".tflite" else 3


def watched(strict: bool) -> Idleness:
    """Return how idle the machine is; warn where it is not, or refuse."""
    from pocketsr.bench import watch
    from pocketsr.errors import PocketsrError

    idle = watch()
    if not idle.is_idle:
        if strict:
            raise PocketsrError(f"{idle.words()}; leave it alone, or leave out --strict")
        click.echo(f"warning: {idle.words()}; these figures are not for comparison", err=True)
    return idle


def _measured(
    asked: Sequence[Asked], sizes: Sequence[str], runs: int, *, leaves_out: Callable[[Asked, PocketsrError], bool]
) -> tuple[Measured, ...]:
    import sys

    from pocketsr.bench import ProcessContender, measure

    is_shown = sys.stderr.isatty()
    opened: list[ProcessContender] = []
    try:
        for one in asked:
            worker = "pocketsr.gpu.torch_contender" if one.backend.startswith("torch") else "pocketsr.bench.worker"
            # One by one: those before a failure must be closed, too.
            opened.append(ProcessContender(one, worker=worker))
        on_step: Callable[[str], None] = _step if is_shown else lambda _: None
        return measure(opened, sizes, runs=runs, on_step=on_step, leaves_out=leaves_out)
    finally:
        for contender in opened:
            contender.close()


def _step(words: str) -> None:
    click.echo(f"{words} ...", err=True)


def _roofline(results: Sequence[Measured]) -> Roofline:
    from pocketsr.bench.record import Roofline
    from pocketsr.bench.roofline import achieved, peaks_of_machine
    from pocketsr.graph.tflite import read_model
    from pocketsr.runtime import model_path

    threads = max(one.threads for one in results)
    peaks = peaks_of_machine(threads)
    rows = []
    for one in results:
        path = model_path(one.model.name)
        if one.backend not in ("litert", "openvino", "reference"):
            continue
        if one.threads != threads:
            click.echo(f"note: {one.model.name} has no share: peaks are for {threads} threads", err=True)
            continue
        graph, _ = read_model(path)
        rows += [achieved(one, figures, graph, peaks) for figures in one.sizes]
    return Roofline(peaks=peaks, models=tuple(rows))


def _profiles(results: Sequence[Measured]) -> tuple[Profile, ...]:
    from pocketsr.bench.profile import profile
    from pocketsr.graph.tflite import read_model
    from pocketsr.runtime import model_path

    found = []
    for one in results:
        if one.backend not in ("litert", "openvino"):
            click.echo(f"note: {one.backend} tells nothing of operators; profile on litert or openvino", err=True)
            continue
        graph, _ = read_model(model_path(one.model.name))
        size = one.sizes[0].height, one.sizes[0].width
        found.append(profile(graph, size, model=one.model.name, backend=one.backend, threads=one.threads))
    return tuple(found)


def make_record(
    results: Sequence[Measured],
    idle: Idleness | None,
    *,
    machine: Machine | None = None,
    failed: Mapping[str, str] | None = None,
    roofline: Roofline | None = None,
    profiles: Sequence[Profile] = (),
    nodes: Sequence[NodeTime] = (),
    predictions: Sequence[Prediction] = (),
) -> Record:
    """Return what was found with everything a figure travels with."""
    from datetime import UTC, datetime

    from pocketsr.bench import Record, this_machine
    from pocketsr.cli.circumstances import command_line, commit, versions

    return Record(
        command=command_line(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        versions=dict(versions()),
        data="noise of 8 bits, the same each time",
        machine=machine or this_machine(),
        idle=idle,
        results=tuple(results),
        roofline=roofline,
        profiles=tuple(profiles),
        nodes=tuple(nodes),
        predictions=tuple(predictions),
        failed=dict(failed or {}),
    )
