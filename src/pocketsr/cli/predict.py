"""``pocketsr predict``: what a network would take on a device, from its operators alone."""

from __future__ import annotations

import json
from pathlib import Path

import click

#: Counted runs of each operator that this machine is fitted to.
_RUNS = 20


@click.command()
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@click.option(
    "--device",
    default="this",
    show_default=True,
    help="this: timed here, too. dolphin-npu: by a table of ABPN's paper.",
)
@click.option("--backend", help="On this machine: litert or openvino  [default: litert].")
@click.option("-t", "--threads", type=click.IntRange(1, 1024), help="On this machine  [default: all].")
@click.option("--size", default="360x640", show_default=True, help="HEIGHTxWIDTH of the input, or 720p, 1080p, 4K.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Record to write (JSON).")
@click.option("--json", "as_json", is_flag=True, help="Print the record instead of a table.")
def command(
    networks: tuple[str, ...],
    device: str,
    backend: str | None,
    threads: int | None,
    size: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Predict each NETWORK: a model, a .tflite, the name of a network, or all.

    This machine is fitted to some thirty operators first and then times each network beside its prediction. Of a device
    that is not here a paper's measurement stands beside it, where there is one.
    """
    from pocketsr.bench import write_record
    from pocketsr.cli.bench import make_record, watched
    from pocketsr.cli.bench_nodes import predicted, predicted_elsewhere
    from pocketsr.cli.bench_tables import print_record

    if device != "this" and (backend or threads):
        raise click.UsageError(f"--backend and --threads are of this machine; {device} is known by a table alone")
    if output is not None and not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {output.parent} to write {output.name} in; create it first")
    if device == "this":
        idle = watched(strict=False)
        rows, failed = predicted(networks, backend, () if threads is None else (threads,), size, _RUNS)
    else:
        idle = None
        rows, failed = predicted_elsewhere(networks, device, size)
    found = make_record((), idle, predictions=rows, failed=failed)
    if output is not None:
        write_record(found, output)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        print_record(found)
