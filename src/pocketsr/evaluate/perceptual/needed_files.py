"""Where files that measures need are found: they are not shipped, because they are not ours.

an explicit path  >  the folder $POCKETSR_METRICS  >  ~/.cache/pocketsr/metrics
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

#: Variable of the environment with the folder of files that measures need.
METRICS_VARIABLE = "POCKETSR_METRICS"


@dataclasses.dataclass(frozen=True)
class NeededFile:
    """A file that a measure needs.

    Attributes:
        key: What measures call it.
        names: Names it may have, the first one recommended.
        what: What it is and where people get it, in words.
    """

    key: str
    names: tuple[str, ...]
    what: str


def metric_folders(environment: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the folders to look in, the nearer first.

    Args:
        environment: Variables; left out, the process's own.

    >>> metric_folders({"POCKETSR_METRICS": "weights"})[0].as_posix()
    'weights'
    """
    variables = os.environ if environment is None else environment
    named = variables.get(METRICS_VARIABLE, "")
    return (*((Path(named),) if named else ()), Path.home() / ".cache" / "pocketsr" / "metrics")


def find_file(needed: NeededFile, given: Path | None = None) -> Path | None:
    """Return where a file is, None where it is not.

    Args:
        needed: Which one.
        given: A folder to look in before all others.
    """
    folders = (*((given,) if given is not None else ()), *metric_folders())
    return next((path for folder in folders for name in needed.names if (path := folder / name).is_file()), None)


def describe_missing(needed: NeededFile, given: Path | None = None) -> str:
    """Say which file is missing, what it is, and where to put it."""
    folder = given if given is not None else metric_folders()[0]
    return f"needs {needed.names[0]} in {folder} (or in the folder ${METRICS_VARIABLE} names): {needed.what}"
