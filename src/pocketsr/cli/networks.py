"""``pocketsr networks``: every network there is, as a table, or one of them layer by layer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pocketsr.graph import Graph
    from pocketsr.networks import NetworkEntry

_FRAMES = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}


@click.command()
@click.argument("name", required=False)
@click.option("-s", "--scale", type=click.IntRange(2, 4), help="Figures of this scale only.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(name: str | None, scale: int | None, as_json: bool) -> None:
    """List every network, or show NAME layer by layer.

    Parameters are those of the folded network. Operations are multiplications by weights for a frame at the output's
    size, in units of 10^9; biases, activations and copies are not counted.
    """
    from pocketsr.cli.torch import import_torch

    import_torch()
    from pocketsr.errors import UnknownNameError
    from pocketsr.networks import NETWORKS

    if name is None:
        rows = [row for each, entry in NETWORKS.items() for row in _rows(each, entry, scale)]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else _table(rows))
        return
    if name not in NETWORKS:
        raise UnknownNameError.among("network", name, NETWORKS)
    entry = NETWORKS[name]
    if scale is not None and scale not in entry.scales:
        raise click.UsageError(f"{name} upscales by {', '.join(map(str, entry.scales))}, not by {scale}")
    if as_json:
        click.echo(json.dumps(_rows(name, entry, scale), indent=2, ensure_ascii=False))
    else:
        click.echo(_page(name, entry, scale or max(entry.scales)))


def _rows(name: str, entry: NetworkEntry, scale: int | None) -> list[dict[str, Any]]:
    scales = entry.scales if scale is None else [each for each in entry.scales if each == scale]
    return [facts(name, entry, each) for each in scales]


def facts(name: str, entry: NetworkEntry, scale: int) -> dict[str, Any]:
    """Return the figures of one network at one scale, counted from its graph."""
    graph = _graph(name, scale)
    return {
        "network": name,
        "scale": scale,
        "parameters": entry.parameters[scale],
        **{f"gmacs_{frame}": gmacs(graph, scale, size) for frame, size in _FRAMES.items()},
        "receptive_field": _reach(graph),
        "float32": not entry.not_float32,
        "int8": not entry.not_int8,
        "onnx": not entry.not_onnx,
        "recipes": _recipes(name),
        "source": entry.source,
    }


def _graph(name: str, scale: int) -> Graph | None:
    import torch

    from pocketsr.errors import LoweringError
    from pocketsr.lower import trace
    from pocketsr.networks import build

    network = build(name, {"scale": scale})
    with torch.no_grad():  # first weights may hold zeros, which would pass for holes in a kernel
        for parameter in network.parameters():
            parameter.add_(torch.rand_like(parameter))
    try:
        return trace(network)
    except LoweringError:
        return None


def gmacs(graph: Graph | None, scale: int, size: tuple[int, int]) -> float | None:
    """Return operations for a frame; where it is no whole number of low-resolution pixels, in proportion."""
    if graph is None:
        return None
    side = 64
    per_pixel = graph.multiply_accumulates(side, side) / (side * scale) ** 2
    return round(per_pixel * size[0] * size[1] / 1e9, 2)


def _reach(graph: Graph | None) -> int | str | None:
    from pocketsr.graph import receptive_field

    if graph is None:
        return None
    reach = receptive_field(graph)
    return "all" if reach is None else reach


def _recipes(name: str) -> list[str]:
    from pocketsr.train import load_recipe, recipe_names

    return [recipe for recipe in recipe_names() if load_recipe(recipe).network.name == name]


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("network", "scale", "parameters", "GMAC 1080p", "sees", "float32", "int8", "onnx", "recipe", "source")
    lines = [head]
    for row in rows:
        marks = ("yes" if row[form] else "-" for form in ("float32", "int8", "onnx"))
        gmacs = "-" if row["gmacs_1080p"] is None else f"{row['gmacs_1080p']:.2f}"
        reach = "-" if row["receptive_field"] is None else str(row["receptive_field"])
        recipes = " ".join(row["recipes"]) or "-"
        left = (row["network"], f"×{row['scale']}", f"{row['parameters']:,}", gmacs, reach)
        lines.append((*left, *marks, recipes, row["source"]))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)), line[-1]])
        for line in lines
    )


def _page(name: str, entry: NetworkEntry, scale: int) -> str:
    """Return what the network's module says of it, its figures, and its layers as they run."""
    import inspect

    from pocketsr.networks import published_sizes

    figures, graph = facts(name, entry, scale), _graph(name, scale)
    lines = [f"{name} ×{scale}: {entry.source}", ""]
    module = inspect.getmodule(entry.make)
    lines += [inspect.getdoc(module) or "" if module else "", ""]
    if entry.preset:
        lines += ["options: " + ", ".join(f"{key}={value}" for key, value in entry.preset.items()), ""]
    lines.append(f"parameters {figures['parameters']:,}, looks {figures['receptive_field'] or '-'} pixels around")
    lines.append("GMAC " + ", ".join(f"{frame} {figures[f'gmacs_{frame}'] or '-'}" for frame in _FRAMES))
    for form in ("float32", "int8", "onnx"):
        lines.append(f"{form}: {getattr(entry, f'not_{form}') or 'yes'}")
    lines.append(f"can be pruned: {f'no, {entry.not_prunable}' if entry.not_prunable else 'yes'}")
    for size in published_sizes():
        if size.network == name and size.printed:
            counted = size.parameters.get(scale)
            words = f" ({size.reason})" if size.reason else ""
            lines.append(f"printed: {size.title}: {size.printed}; counted {counted or '-'}{words}")
    if graph is not None:
        lines += ["", *(_layer(op) for op in graph.ops)]
    return "\n".join(lines)


def _layer(op: Any) -> str:
    from pocketsr.graph import Conv2D

    channels = " + ".join(str(value.channels) for value in op.inputs)
    extra = ""
    if isinstance(op, Conv2D):
        height, width = op.weight.shape[1:3]
        groups = f", {op.groups} groups" if op.groups > 1 else ""
        extra = f" {height}×{width}{groups}{', ReLU' if op.activation == 'relu' else ''}"
    return f"  {type(op).__name__}{extra}: {channels} → {op.output.channels}"
