"""What a figure was measured on, as far as the system tells: processor, its abilities, cores, clock policy, memory.

Standard library only. What a system does not tell is empty or None; nothing is guessed.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import re
from pathlib import Path

#: Abilities of processors that decide how fast these networks run.
_FLAGS = (
    "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine.

    Attributes:
        processor: Its name as the system tells it.
        flags: Those of its abilities that matter here, such as ``avx512_vnni``, sorted.
        cores: That this process may use.
        governor: Linux's policy for the clock of the first core, such as ``powersave``; empty where not readable.
        memory_gb: Of the machine, 10⁹ bytes; None where not known.
        system: Such as ``Linux x86_64``.
    """

    processor: str
    flags: tuple[str, ...]
    cores: int
    governor: str
    memory_gb: float | None
    system: str


def this_machine(root: Path = Path("/")) -> Machine:
    """Return what this machine is.

    Args:
        root: Where ``proc`` and ``sys`` lie; for tests.

    >>> this_machine().cores >= 1
    True
    """
    cpuinfo = _text(root / "proc/cpuinfo")
    found = set((_first(r"^(?:flags|Features)\s*:(.*)$", cpuinfo)).split())
    memory = _first(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        processor=_first(r"^model name\s*:(.*)$", cpuinfo) or platform.processor() or platform.machine() or "unknown",
        flags=tuple(sorted(flag for flag in _FLAGS if flag in found)),
        cores=cores,
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        memory_gb=round(int(memory) * 1024 / 1e9, 1) if memory else None,
        system=f"{platform.system()} {platform.machine()}",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else ""
