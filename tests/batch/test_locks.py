from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pocketsr.batch.locks import Owner, is_alive, lock_path, locked, sweep


@pytest.fixture
def dead() -> Owner:
    """A process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return Owner(socket.gethostname(), process.pid, "1", "0" * 16)


def _leave(target: Path, owner: Owner) -> Path:
    path = lock_path(target)
    path.write_text(json.dumps(dataclasses.asdict(owner)))
    return path


def _age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_lock_is_there_while_it_is_held_and_gone_after(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with locked(target) as other:
        assert other is None
        assert [path.name for path in tmp_path.iterdir()] == [lock_path(target).name]
        with locked(target) as second, locked(tmp_path / "b.png") as another:
            assert second is not None
            assert second.pid == os.getpid()
            assert another is None
        assert lock_path(target).exists(), "the second did not take it away"
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_given_back_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "a.png"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path: Path, dead: Owner) -> None:
    _leave(tmp_path / "a.png", dead)
    with locked(tmp_path / "a.png") as other:
        assert other is None
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_used_again_is_not_the_process_that_was(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("the system does not say when a process began")
    _leave(tmp_path / "a.png", Owner(socket.gethostname(), os.getpid(), "1", ""))
    with locked(tmp_path / "a.png") as other:
        assert other is None


def test_a_process_that_died_and_was_not_asked_for_yet_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = Owner(socket.gethostname(), process.pid, "", "")
        alive = dataclasses.replace(owner, started=Path(f"/proc/{process.pid}/stat").read_text().split()[21])
        assert is_alive(alive)
        process.kill()
        deadline = time.monotonic() + 20
        while is_alive(alive) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_alive(alive)


def test_a_lock_of_another_machine_counts_for_a_day(tmp_path: Path) -> None:
    path = _leave(tmp_path / "a.png", Owner("elsewhere", 1, "1", ""))
    with locked(tmp_path / "a.png") as other:
        assert str(other) == "process 1 on elsewhere"
    _age(path, 90_000)
    with locked(tmp_path / "a.png") as other:
        assert other is None


def test_a_lock_that_was_never_filled_counts_for_a_moment(tmp_path: Path) -> None:
    path = lock_path(tmp_path / "a.png")
    path.touch()
    with locked(tmp_path / "a.png") as other:
        assert other is not None
    _age(path, 60)
    with locked(tmp_path / "a.png") as other:
        assert other is None


def test_where_no_lock_can_be_made_the_work_itself_says_why(tmp_path: Path) -> None:
    with locked(tmp_path / "missing" / "a.png") as other:
        assert other is None


def test_of_many_that_want_a_stale_lock_one_gets_it(tmp_path: Path, dead: Owner) -> None:
    for _ in range(20):
        _leave(tmp_path / "a.png", dead)
        barrier, done = threading.Barrier(8), threading.Barrier(8)
        won: list[bool] = []

        def want(barrier: threading.Barrier = barrier, done: threading.Barrier = done, won: list[bool] = won) -> None:
            barrier.wait()
            with locked(tmp_path / "a.png") as other:
                won.append(other is None)
                done.wait()

        threads = [threading.Thread(target=want) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(won) <= 1


def test_what_dead_processes_left_is_swept_and_nothing_else(tmp_path: Path, dead: Owner) -> None:
    parts = [tmp_path / f".pocketsr-{name}.part" for name in ("old", "young")]
    mine = tmp_path / "mine.part"
    for path in (*parts, mine):
        path.touch()
    _age(parts[0], 600)
    _age(mine, 200_000)
    sweep(tmp_path)
    assert all(path.exists() for path in parts), "no lock was left behind: they may be anyone's"
    stale = _leave(tmp_path / "a.png", dead)
    with locked(tmp_path / "b.png"):
        sweep(tmp_path)
        assert parts[0].exists(), "someone is at work here"
    assert not stale.exists()
    _leave(tmp_path / "a.png", dead)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [parts[1].name, "mine.part"]
    _age(parts[1], 90_000)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.part"]
