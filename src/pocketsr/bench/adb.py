"""Android's ``adb``: what is connected, files to it, commands on it, and an end to waiting.

Knows nothing of models or measurements.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pocketsr.bench.machine import Machine
from pocketsr.errors import DeviceError

#: Seconds for what is no measurement: a push over a slow cable included.
_TIMEOUT_S = 120.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adb:
    """One device.

    Attributes:
        serial: As ``adb devices`` tells it.
        program: The command.
    """

    serial: str
    program: str = "adb"

    @classmethod
    def find(cls, serial: str | None = None, *, program: str = "adb") -> Adb:
        """Return the device of that serial, or the only one there is.

        Raises:
            DeviceError: ``adb`` is not installed; there is no such device, none at all, or several; or it is not ready.
        """
        lines = _run([program, "devices"], _TIMEOUT_S).splitlines()
        rows = [found for line in lines if (found := re.fullmatch(r"(\S+)\t(\w[\w ]*)", line.rstrip()))]
        states = {str(row[1]): str(row[2]) for row in rows}
        if serial is None:
            if not states:
                raise DeviceError("no Android device is connected: plug one in and allow USB debugging on it")
            if len(states) > 1:
                raise DeviceError(f"several devices are connected, choose one by --serial: {', '.join(states)}")
            (serial,) = states
        state = states.get(serial)
        if state is None:
            raise DeviceError(f"no device {serial!r} is connected; there are: {', '.join(states) or 'none'}")
        if state != "device":
            raise DeviceError(f"device {serial} is {state}: unlock it and allow USB debugging for this computer")
        return cls(serial=serial, program=program)

    def shell(self, words: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> str:
        """Run a command on the device; return what it printed, on both streams.

        Raises:
            DeviceError: It failed, took longer, or the device went away.
        """
        return _run([self.program, "-s", self.serial, "shell", f"{shlex.join(words)} 2>&1"], timeout_s)

    def push(self, source: Path, target: str) -> None:
        """Copy a file to the device.

        Raises:
            DeviceError: It cannot be copied.
        """
        _run([self.program, "-s", self.serial, "push", str(source), target], _TIMEOUT_S)

    def machine(self) -> Machine:
        """Return what the device says of itself.

        Raises:
            DeviceError: It went away.
        """
        properties = dict(re.findall(r"^\[(.+?)\]: \[(.*?)\]$", self.shell(["getprop"]), re.MULTILINE))
        words = [properties.get(f"ro.{name}", "") for name in ("product.manufacturer", "product.model", "soc.model")]
        flags = re.search(r"^Features\s*:(.*)$", self._text("/proc/cpuinfo"), re.MULTILINE)
        memory = re.search(r"^MemTotal:\s*(\d+) kB", self._text("/proc/meminfo"), re.MULTILINE)
        cores = self._text("/sys/devices/system/cpu/present").strip()
        return Machine(
            processor=" ".join(word for word in words if word) or self.serial,
            flags=tuple(sorted(set(flags.group(1).split()) & {"asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2"}))
            if flags
            else (),
            cores=int(cores.rpartition("-")[2]) + 1 if re.fullmatch(r"[\d,-]*\d", cores) else 1,
            governor=self._text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
            memory_gb=round(int(memory.group(1)) * 1024 / 1e9, 1) if memory else None,
            system=f"Android {properties.get('ro.build.version.release', '')}".strip(),
        )

    def _text(self, path: str) -> str:
        try:
            return self.shell(["cat", path])
        except DeviceError:  # many phones keep this to themselves
            return ""


def _run(command: Sequence[str], timeout_s: float) -> str:
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
    except FileNotFoundError as error:
        raise DeviceError(
            f"there is no command {command[0]!r}: install Android's platform-tools, or name it by --adb-program"
        ) from error
    except OSError as error:
        raise DeviceError(f"{command[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"no answer within {timeout_s:g} s to: {shlex.join(command)}") from error
    text = done.stdout.replace("\r\n", "\n")
    if done.returncode:
        said = (done.stderr.strip() or text.strip()).splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise DeviceError(f"{shlex.join(command)} failed: {said[0].strip()}")
    return text
