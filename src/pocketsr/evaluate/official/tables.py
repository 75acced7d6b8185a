"""Official results: what five papers print, read from the data files beside this one.

    paper ── table ── row × set × measure ──> cell: the printed number, and why it is to be doubted where it is

Knows what was printed and nothing of how to measure it. Numbers are kept as printed, errors included; a doubt stands
beside the number and never replaces it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Literal

from pocketsr.errors import DataError, UnknownNameError

#: One file a paper, in the order of the list of tables.
PAPERS = ("scsrn", "abpn", "lrsrn", "pcarn", "f2srgan")


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What is counted or measured.

    Attributes:
        label: Name in tables.
        unit: Unit, empty where it has none.
        better: Which way is better; empty where neither is.
        digits: Decimals that our own figures are shown with: one more than papers print.
    """

    label: str
    unit: str
    better: Literal["higher", "lower", ""]
    digits: int


#: Every quantity of the tables by its name in the data files. PI is the perceptual index ((10 − Ma) + NIQE) / 2.
QUANTITIES: Mapping[str, Quantity] = {
    "psnr_db": Quantity("PSNR", "dB", "higher", 3),
    "psnr_y_db": Quantity("PSNR(Y)", "dB", "higher", 3),
    "ssim": Quantity("SSIM", "", "higher", 4),
    "lpips": Quantity("LPIPS", "", "lower", 4),
    "niqe": Quantity("NIQE", "", "lower", 3),
    "ma": Quantity("Ma", "", "higher", 3),
    "pi": Quantity("PI", "", "lower", 3),
    "nima": Quantity("NIMA", "", "higher", 3),
    "psnr_lost_db": Quantity("PSNR lost", "dB", "lower", 3),
    "ssim_lost": Quantity("SSIM lost", "", "lower", 4),
    "runtime_ms": Quantity("runtime", "ms", "lower", 2),
    "score": Quantity("score", "", "higher", 2),
    "parameters_k": Quantity("parameters", "10³", "lower", 2),
    "gmacs": Quantity("multiply-adds", "10⁹", "lower", 1),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """A column of a table.

    Attributes:
        quantity: Key of ``QUANTITIES``.
        precision: ``float32``, ``float16`` or ``int8``; empty where the table does not part them.
        stage: Which stage of training, where columns are stages.
        device: What it was timed on.
        protocol: Protocol of this column where it is not the table's.
        terms: How it was measured, where no protocol of ours says it.
    """

    quantity: str
    precision: Literal["float32", "float16", "int8", ""] = ""
    stage: str = ""
    device: str = ""
    protocol: str = ""
    terms: str = ""

    @property
    def label(self) -> str:
        """Heading of the column, with unit.

        >>> Measure(quantity="psnr_db", precision="int8").label
        'PSNR int8 dB'
        """
        quantity = QUANTITIES[self.quantity]
        return " ".join(filter(None, (quantity.label, self.stage, self.precision, self.device, quantity.unit)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One printed number.

    Attributes:
        row: Name of the row, as printed.
        network: Name in the list of networks; empty where none of ours is meant, such as an ablation's arm.
        scale: Factor; None where it makes no difference.
        data: Set of images; empty where none is meant.
        measure: The column.
        printed: The number, in the unit of the quantity.
        spread: Deviation over runs, as printed behind ±; None where none is.
        suspect: Why it is to be doubted; empty where it is not.
        recovered: What it must have been, where other numbers of the table say so.
    """

    row: str
    network: str
    scale: int | None
    data: str
    measure: Measure
    printed: float
    spread: float | None = None
    suspect: str = ""
    recovered: float | None = None

    @property
    def value(self) -> float:
        """The recovered number where there is one, otherwise the printed one."""
        return self.printed if self.recovered is None else self.recovered


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a paper.

    Attributes:
        name: Name to ask for, such as ``scsrn-table2``.
        paper: Short name of the paper.
        source: Who published it and where.
        number: Number in the paper.
        title: What it shows.
        protocol: Protocol of its PSNR and SSIM; empty where none is known.
        cells: Every number, row by row.
        notes: What else one must know to read it.
    """

    name: str
    paper: str
    source: str
    number: str
    title: str
    protocol: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()

    def select(self, **wanted: Any) -> tuple[Cell, ...]:
        """Return the cells with these values of ``row``, ``scale``, ``data``, ``quantity``, ``precision``, ``stage``.

        A list stands for any of its values.

        >>> find_table("scsrn-table2").select(row="SCSRN", scale=3, data="Set5", precision="int8")[0].printed
        31.61
        """
        return tuple(cell for cell in self.cells if _matches(cell, wanted))

    def protocol_of(self, cell: Cell) -> str:
        """Return the name of the protocol of a cell; empty where none is known."""
        return cell.measure.protocol or (self.protocol if cell.measure.quantity in ("psnr_db", "ssim") else "")


@functools.cache
def official_tables() -> tuple[Table, ...]:
    """Return every table, paper by paper.

    Raises:
        DataError: A data file is damaged: pocketsr must be installed again.

    >>> len(official_tables()) > 20
    True
    """
    folder = resources.files("pocketsr.evaluate.official")
    return tuple(
        table for paper in PAPERS for table in read_tables(folder.joinpath(f"{paper}.toml").read_text("utf-8"), paper)
    )


def find_table(name: str) -> Table:
    """Return the table of that name.

    Raises:
        UnknownNameError: There is none; the message names the nearest.
    """
    for table in official_tables():
        if table.name == name:
            return table
    raise UnknownNameError.among("table", name, (table.name for table in official_tables()))


def read_tables(text: str, name: str) -> tuple[Table, ...]:
    """Read one paper's tables from TOML; the form is told in ``scsrn.toml``.

    Args:
        text: The file's text.
        name: What to call it in errors.

    Raises:
        DataError: It is no TOML, lacks a key, has one too many, a row is too long or too short, a number is no number,
            or a doubt fits no cell.
    """
    try:
        file = tomllib.loads(text)
        facts = {"paper": file.pop("paper"), "source": file.pop("source")}
        made = tuple(_table(**facts, **table) for table in file.pop("tables"))
        if file:
            raise ValueError(f"unknown keys {', '.join(file)}")
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the official tables {name!r} cannot be read: {error}") from error
    if len({table.name for table in made}) != len(made):
        raise DataError(f"the official tables {name!r} have two of one name")
    return made


def _table(
    *,
    measures: Sequence[Mapping[str, str]],
    rows: Sequence[Mapping[str, Any]],
    sets: Sequence[str] = ("",),
    scale: int | None = None,
    suspects: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
    protocol: str = "",
    **facts: str,
) -> Table:
    columns = tuple(Measure(**measure) for measure in measures)  # type: ignore[arg-type]
    for column in columns:
        if column.quantity not in QUANTITIES:
            raise ValueError(f"{facts['name']}: unknown quantity {column.quantity!r}")
    cells = [cell for row in rows for cell in _cells(row, sets, columns, scale)]
    keys = [(cell.row, cell.scale, cell.data, cell.measure) for cell in cells]
    if len(set(keys)) != len(keys):
        raise ValueError(f"{facts['name']}: two numbers stand for one cell")
    for suspect in suspects:
        cells = _doubted(cells, facts["name"], **suspect)
    return Table(**facts, protocol=protocol, cells=tuple(cells), notes=tuple(notes))


def _cells(
    row: Mapping[str, Any], sets: Sequence[str], columns: Sequence[Measure], scale: int | None
) -> Iterator[Cell]:
    name, values, spreads = row["name"], row["values"], row.get("spreads")
    if unknown := set(row) - {"name", "network", "scale", "values", "spreads"}:
        raise ValueError(f"row {name!r} has unknown keys {', '.join(sorted(unknown))}")
    for data, numbers, around in zip(sets, values, spreads or [None] * len(sets), strict=True):
        for measure, printed, spread in zip(columns, numbers, around or [math.nan] * len(columns), strict=True):
            if isinstance(printed, bool) or not isinstance(printed, int | float) or math.isinf(printed):
                raise ValueError(f"row {name!r} has {printed!r} where a number is needed")
            if math.isnan(printed):
                continue  # the paper prints a dash
            yield Cell(
                row=name,
                network=row.get("network", ""),
                scale=row.get("scale", scale),
                data=data,
                measure=measure,
                printed=float(printed),
                spread=None if math.isnan(spread) else float(spread),
            )


def _doubted(
    cells: Sequence[Cell], table: str, *, reason: str, recovered: float | None = None, **where: Any
) -> list[Cell]:
    if not any(_matches(cell, where) for cell in cells):
        raise ValueError(f"{table}: no cell is where a doubt says: {where}")
    return [
        dataclasses.replace(
            cell, suspect="; ".join(filter(None, (cell.suspect, reason))), recovered=recovered or cell.recovered
        )
        if _matches(cell, where)
        else cell
        for cell in cells
    ]


def _matches(cell: Cell, wanted: Mapping[str, Any]) -> bool:
    for key, value in wanted.items():
        if key not in ("row", "network", "scale", "data", "quantity", "precision", "stage", "device"):
            raise ValueError(f"a cell has no {key!r}")
        found = getattr(cell if hasattr(cell, key) else cell.measure, key)
        if found not in (value if isinstance(value, list | tuple) else [value]):
            return False
    return True
