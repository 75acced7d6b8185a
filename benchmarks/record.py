"""What a measurement travels with: machine, commit, versions. Shared by the scripts beside it."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pocketsr.bench import Record, read_record
from pocketsr.cli.circumstances import processor

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def circumstances() -> dict[str, Any]:
    """Return machine, commit and versions; ``clean`` says whether the commit is all there is."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    source = ["status", "--porcelain", "--", "src", "benchmarks/*.py"]
    dirty = subprocess.run([*git, *source], capture_output=True, text=True, check=False)
    return {
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "commit": commit.stdout.strip(),
        "clean": not dirty.stdout.strip(),
        "versions": {name: version(name) for name in ("pocketsr", "ai-edge-litert", "numpy", "Pillow")},
    }


def write(suite: str, results: dict[str, Any]) -> Path:
    """Write ``results/<version>/<suite>--<machine>.json``."""
    path = path_of(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"suite": suite, **circumstances(), **results}, indent=1) + "\n")
    return path


def path_of(suite: str) -> Path:
    """Return where this machine's results of a suite belong."""
    machine = re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-")
    return RESULTS / version("pocketsr") / f"{suite}--{machine}.json"


def read_bench(suite: str) -> Record | None:
    """Return a suite that ``pocketsr bench`` recorded, checked; None where there is none."""
    files = sorted((RESULTS / version("pocketsr")).glob(f"{suite}--*.json"))
    return read_record(files[0]) if files else None


def read(suite: str) -> dict[str, Any] | None:
    """Return the results of a suite for this version, None where there are none."""
    files = sorted((RESULTS / version("pocketsr")).glob(f"{suite}--*.json"))
    return json.loads(files[0].read_text()) if files else None
