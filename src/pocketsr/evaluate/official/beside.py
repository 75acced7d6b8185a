"""Ours beside a paper's: which of a table's cells a function answers, and what it gives there.

    table ── scale, set ──> columns ── protocol of each ──> evaluate ──> Figure: value, printed cell, difference

Judges PSNR and SSIM, the columns that a protocol of ours describes. Knows nothing of where the functions came from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pocketsr.errors import DataError
from pocketsr.evaluate.benchmarks import Report, Upscale, evaluate
from pocketsr.evaluate.official.tables import Cell, Measure, Table
from pocketsr.evaluate.protocol import find_protocol

_QUANTITIES = ("psnr_db", "psnr_y_db", "ssim")
#: Folder names that stand for a set, in lower case, where its own is not the only one.
_NAMES = {"bsd100": ("bsd100", "b100"), "div2k": ("div2k", "div2k_valid_hr")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """Something of ours to put beside a table.

    Attributes:
        name: What to call it.
        upscale: The function.
        scale: Factor.
        rows: Names of the rows that it answers; empty where the table has none for it.
        precision: ``float32`` or ``int8``; empty answers every column of its rows.
        readings: Protocols; an empty name is each column's own.
        facts: What is known of it: ``network``, ``data``, ``licence``...
    """

    name: str
    upscale: Upscale
    scale: int
    rows: tuple[str, ...] = ()
    precision: str = ""
    readings: tuple[str, ...] = ("",)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of ours.

    Attributes:
        name: Of the contender.
        row: Row that it answers; empty where there is none.
        scale: Factor.
        data: Set.
        measure: Column.
        protocol: It was judged under.
        value: In the unit of the quantity.
        cell: The paper's; None where it has none.
        images: How many were judged.
    """

    name: str
    row: str
    scale: int
    data: str
    measure: Measure
    protocol: str
    value: float
    cell: Cell | None
    images: int

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's, to the recovered number where the printed one is an error."""
        return None if self.cell is None else self.value - self.cell.value


def find_sets(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the folders of those sets that lie in a folder.

    Raises:
        DataError: The folder is missing.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; a folder that holds Set5, Set14 and such is needed")
    inside = {folder.name.lower(): folder for folder in sorted(root.iterdir()) if folder.is_dir()}
    found: dict[str, Path] = {}
    for name in filter(None, names):
        for candidate in _NAMES.get(name.lower(), (name.lower(),)):
            if candidate in inside:
                found.setdefault(name, inside[candidate])
    return found


def judge(
    table: Table, contender: Contender, data: str, folder: Path, *, limit: int | None = None
) -> tuple[tuple[Figure, ...], Report | None]:
    """Judge a contender on one set under every protocol that the table's cells need.

    Returns:
        The figures, and the report they are from; none and None where the table has no column for it.
    """
    cells = [cell for cell in table.select(data=data, scale=contender.scale) if cell.measure.quantity in _QUANTITIES]
    cells = [cell for cell in cells if table.protocol_of(cell)]
    pairs: list[tuple[Cell, str]] = [
        (cell, cell.row)
        for cell in cells
        if cell.row in contender.rows
        and (
            not contender.precision
            or cell.measure.precision == contender.precision
            or not (cell.measure.precision or cell.measure.stage)
        )
    ]
    if not contender.rows:
        pairs = [(cell, "") for cell in {cell.measure.quantity: cell for cell in reversed(cells)}.values()][::-1]
    wanted = [(cell, row, reading or table.protocol_of(cell)) for reading in contender.readings for cell, row in pairs]
    if not wanted:
        return (), None
    report = evaluate(
        contender.upscale,
        folder,
        scale=contender.scale,
        protocols=[find_protocol(name) for name in dict.fromkeys(name for _, _, name in wanted)],
        with_ssim=any(cell.measure.quantity == "ssim" for cell, _, _ in wanted),
        limit=limit,
    )
    figures = []
    for cell, row, name in wanted:
        mean = report.mean(find_protocol(name).name)
        figures.append(
            Figure(
                name=contender.name,
                row=row,
                scale=contender.scale,
                data=data,
                measure=cell.measure,
                protocol=name,
                value=mean.ssim if cell.measure.quantity == "ssim" else mean.psnr_db,
                cell=cell if row else None,
                images=len(report.rows),
            )
        )
    return tuple(figures), report
