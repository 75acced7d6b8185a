"""A program that stands in for ``adb``: answers from a folder of files, keeps a log of what it was asked.

FAKE_ADB/devices        what `adb devices` prints
FAKE_ADB/cpu1 ... gpu   what benchmark_model prints in that case; a first line `exit 1` or `sleep 9` does so
FAKE_ADB/log            every command, a line each
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ.get("FAKE_ADB", "."))
GETPROP = "[ro.product.manufacturer]: [Acme]\n[ro.product.model]: [Pocket 9]\n[ro.build.version.release]: [15]\n"
FILES = {
    "/proc/cpuinfo": "Features\t: fp asimd asimddp i8mm\n",
    "/proc/meminfo": "MemTotal:        8000000 kB\n",
    "/sys/devices/system/cpu/present": "0-7\n",
}


def main() -> int:
    words = sys.argv[1:]
    with (FOLDER / "log").open("a") as log:
        log.write(" ".join(words) + "\n")
    if words[0] == "devices":
        sys.stdout.write((FOLDER / "devices").read_text())
        return 0
    command = words[3]
    if words[2] == "push":
        return 0
    if "benchmark_model --graph" in command:
        return _benchmark(command)
    if command.startswith("getprop"):
        sys.stdout.write(GETPROP)
    elif command.startswith("cat "):
        text = FILES.get(command.split()[1])
        if text is None:
            sys.stdout.write("cat: Permission denied\n")
            return 1
        sys.stdout.write(text)
    return 0


def _benchmark(command: str) -> int:
    threads = re.search(r"--num_threads=(\d)", command)
    name = f"cpu{threads.group(1)}" if threads else "gpu" if "use_gpu" in command else "nnapi"
    text = (FOLDER / name).read_text()
    order = re.match(r"(exit|sleep) (\d+)\n", text)
    if order and order.group(1) == "sleep":
        time.sleep(int(order.group(2)))
    sys.stdout.write(text[order.end() :] if order else text)
    return int(order.group(2)) if order and order.group(1) == "exit" else 0


if __name__ == "__main__":
    sys.exit(main())
