from __future__ import annotations

from pathlib import Path

import pytest

from pocketsr.bench.idle import Idleness, watch
from pocketsr.bench.machine import this_machine


def _root(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_machine_is_what_linux_tells(tmp_path: Path) -> None:
    root = _root(
        tmp_path,
        {
            "proc/cpuinfo": "model name\t: Quick 3000\nflags\t\t: sse fma avx512_vnni avx2\nmodel name\t: other\n",
            "proc/meminfo": "MemTotal:       16000000 kB\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        },
    )
    machine = this_machine(root)
    assert (machine.processor, machine.flags) == ("Quick 3000", ("avx2", "avx512_vnni", "fma"))
    assert (machine.governor, machine.memory_gb) == ("powersave", 16.4)


def test_what_is_not_told_stays_empty(tmp_path: Path) -> None:
    machine = this_machine(tmp_path)
    assert machine.processor
    assert (machine.flags, machine.governor, machine.memory_gb) == ((), "", None)


def test_arm_s_abilities_are_found(tmp_path: Path) -> None:
    machine = this_machine(_root(tmp_path, {"proc/cpuinfo": "Features\t: fp asimd asimddp i8mm\n"}))
    assert machine.flags == ("asimd", "asimddp", "i8mm")


@pytest.mark.parametrize(("work", "idle", "expected"), [(50, 50, 0.5), (0, 100, 0.0), (4, 96, 0.04)])
def test_ticks_between_two_looks_tell_how_busy(tmp_path: Path, work: int, idle: int, expected: float) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 0 900 0 0 0 0 0 0\n")

    def wait(seconds: float) -> None:
        assert seconds == 0.5
        stat.write_text(f"cpu  {100 + work} 0 0 {900 + idle} 0 0 0 0 0 0\n")

    found = watch(stat=stat, wait=wait, load=0.0)
    assert found.busy == expected
    assert found.is_idle == (expected <= 0.1)


def test_a_load_alone_disturbs_too(tmp_path: Path) -> None:
    found = watch(stat=tmp_path / "none", wait=lambda _: None, load=1000.0)
    assert found.busy is None
    assert not found.is_idle
    assert "a core" in found.words()
    assert "busy" not in found.words()
    assert Idleness(busy=None, load=None).is_idle, "what is not known is not held against it"
