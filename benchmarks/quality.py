"""Figures of the bundled models, of bicubic and of any model files named, on the standard benchmarks.

python benchmarks/quality.py FOLDER_WITH_SET5_SET14_BSD100 [NAME=FILE.tflite ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import record

import pocketsr
from pocketsr.evaluate import bicubic, evaluate, find_protocol

SETS = ("Set5", "Set14", "BSD100")


def main(root: Path, extra: list[str]) -> None:
    functions = {"bicubic x3": (bicubic(3), 3)}
    named = {entry.name: entry.name for entry in pocketsr.models()}
    for name, model in {**named, **dict(item.split("=", 1) for item in extra)}.items():
        upscaler = pocketsr.load(model)
        functions[name] = (upscaler, upscaler.scale)
    rows = {}
    protocols = [find_protocol(name) for name in ("abpn", "scsrn", "classic")]
    for name, (function, scale) in functions.items():
        rows[name] = {
            set_: evaluate(function, root / set_, scale=scale, protocols=protocols).to_dict()["means"] for set_ in SETS
        }
        print(name, {set_: round(means["abpn"]["psnr_db"], 3) for set_, means in rows[name].items()})
    print(record.write("quality", {"sets": SETS, "models": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
