"""One process at a time makes an output: a small file beside it says which.

    .pocketsr-1f6c….lock   {"host": …, "pid": …, "started": …, "token": …}

It is linked to its name, which fails where there is one already, so of two processes one gets it. A process that was
killed leaves its file behind; the next one sees that no such process lives and takes its place. On other machines'
processes, over a shared folder, one cannot look: theirs count as alive for a day.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

#: After this a lock of another machine counts as left behind.
_FOREIGN_AGE_S = 24 * 3600.0
#: After this a lock without content, or a take-over, counts as left behind: both last microseconds.
_MOMENT_S = 10.0
#: After this a half-written file counts as left behind: beside a lock that was, and anywhere. Slow encoders write
#: nothing for a while and then all at once.
_PART_AGE_S, _OLD_PART_AGE_S = 60.0, 24 * 3600.0


@dataclasses.dataclass(frozen=True)
class Owner:
    """Which process has a lock.

    Attributes:
        host: Name of its machine.
        pid: Its number there.
        started: When it began, as the system counts; empty where that is not told. Numbers are used again.
        token: Drawn for one lock.
    """

    host: str
    pid: int
    started: str
    token: str

    def __str__(self) -> str:
        return f"process {self.pid}" + ("" if self.host == socket.gethostname() else f" on {self.host}")


@contextlib.contextmanager
def locked(target: Path) -> Iterator[Owner | None]:
    """Hold the lock of an output, or say who has it.

    Yields:
        None where the lock is ours, until the block ends; otherwise its owner. Where no file can be made, there is
        none and it counts as ours: writing the output fails there, too, and says why.
    """
    path = lock_path(target)
    us = Owner(socket.gethostname(), os.getpid(), _started(os.getpid()), secrets.token_hex(8))
    try:
        other = _take(path, us)
    except OSError:
        yield None
        return
    if other is not None:
        yield other
        return
    try:
        yield None
    finally:
        if _read(path) == us:
            with contextlib.suppress(OSError):
                path.unlink()


def lock_path(target: Path) -> Path:
    """Return where the lock of an output lies: beside it, under a name that is short whatever the output is called."""
    return target.with_name(f".pocketsr-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:20]}.lock")


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder: their locks and half-written files.

    Half-written files do not say whose they are. They go where a lock was left behind, nobody alive has one, and
    nothing was written to them for a minute; or for a day.
    """
    with contextlib.suppress(OSError):
        parts = list(folder.glob(".pocketsr-*.part"))  # before the locks: whoever writes one now has a lock already
        locks = list(folder.glob(".pocketsr-*.lock"))
        stale = [lock for lock in locks if _is_stale(lock)]
        age_s = _PART_AGE_S if stale and len(stale) == len(locks) else _OLD_PART_AGE_S
        for part in parts:
            with contextlib.suppress(FileNotFoundError):  # it was finished meanwhile
                if time.time() - part.stat().st_mtime > age_s:
                    part.unlink()
        for lock in stale:
            _remove_stale(lock)


def is_alive(owner: Owner) -> bool:
    """Whether a process of this machine lives, and is the one that was meant.

    >>> is_alive(Owner(socket.gethostname(), os.getpid(), _started(os.getpid()), ""))
    True
    """
    started = _started(owner.pid)
    if started or owner.started:
        return started == owner.started
    return _has_process(owner.pid)


def _take(path: Path, us: Owner) -> Owner | None:
    """Make the lock; return None, or who has it already."""
    for _ in range(3):  # a lock may be given back, or taken by a third process, between two looks
        if _make(path, us):
            return None
        if _is_stale(path):
            _remove_stale(path)
            continue
        if (other := _read(path)) is not None:
            return other
    return _read(path) or Owner(socket.gethostname(), 0, "", "")


def _make(path: Path, us: Owner) -> bool:
    """Make the lock, whole or not at all: a process killed in between would leave one that belongs to nobody."""
    whole = path.with_name(f"{path.stem}-{us.token}.part")  # swept like any half-written file
    try:
        whole.write_bytes(_as_bytes(us))
        os.link(whole, path)
    except FileExistsError:
        return False
    except (AttributeError, NotImplementedError, OSError):  # a file system without links
        return _make_in_place(path, us)
    finally:
        with contextlib.suppress(OSError):
            whole.unlink()
    return True


def _as_bytes(owner: Owner) -> bytes:
    return json.dumps(dataclasses.asdict(owner)).encode()


def _make_in_place(path: Path, us: Owner) -> bool:
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    try:
        os.write(number, _as_bytes(us))
    finally:
        os.close(number)
    return True


def _read(path: Path) -> Owner | None:
    try:
        values = json.loads(path.read_bytes())
        return Owner(str(values["host"]), int(values["pid"]), str(values["started"]), str(values["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_stale(path: Path) -> bool:
    """Whether a lock is there and nobody has it."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    owner = _read(path)
    if owner is None:  # just being made, or the disk was full then
        return age > _MOMENT_S
    if owner.host != socket.gethostname():
        return age > _FOREIGN_AGE_S
    return not is_alive(owner)


def _remove_stale(path: Path) -> None:
    """Remove a lock that was left behind.

    Between seeing that and removing it, another process may have put its own there. So whoever removes holds a second
    file meanwhile, also made by an exclusive open, and looks again.
    """
    taking = path.with_suffix(".taking")
    try:
        os.close(os.open(taking, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        with contextlib.suppress(OSError):
            if time.time() - taking.stat().st_mtime > _MOMENT_S:  # killed within these lines
                taking.unlink()
        return
    try:
        if _is_stale(path):
            path.unlink(missing_ok=True)
    finally:
        taking.unlink(missing_ok=True)


def _started(pid: int) -> str:
    """Return when a living process began, in ticks since the machine did; empty where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()  # from the third on; the name in brackets may hold anything
        return "" if fields[0] in "ZX" else fields[19]  # dead, though its parent has not asked yet
    except (OSError, IndexError):
        return ""


def _has_process(pid: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE
        if not handle:
            return False
        still = ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == 0x102  # WAIT_TIMEOUT: it has not ended
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(still)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is someone else's
        return True
    return True
