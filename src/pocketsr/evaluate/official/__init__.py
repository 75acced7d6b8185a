"""Official results: the printed numbers of five papers as data, with doubts where there are any."""

from pocketsr.evaluate.official.tables import (
    PAPERS,
    QUANTITIES,
    Cell,
    Measure,
    Quantity,
    Table,
    find_table,
    official_tables,
    read_tables,
)

__all__ = [
    "PAPERS",
    "QUANTITIES",
    "Cell",
    "Measure",
    "Quantity",
    "Table",
    "find_table",
    "official_tables",
    "read_tables",
]
