"""Trains ABPN ×3 for 1,400 steps by the recipe of the bank, and says whether it gets as far as it did before.

    python benchmarks/train_small.py DATA             ends with exit code 1 if BSD100 is off by more than 0.05 dB
    python benchmarks/train_small.py DATA --record    writes down what came out

DATA holds `train` and `benchmarks/BSD100`. All the way a model of the bank goes: images, float and integer stage,
export with its check, judging the int8 file. One thread, so that it is the same run again on one machine; on another it
may be as another seed would be. Five seeds are 0.06 dB apart on the five images of Set5, 0.03 on these hundred.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import record
from click.testing import CliRunner

from pocketsr.cli import main as pocketsr
from pocketsr.evaluate import evaluate, find_protocol
from pocketsr.runtime import Upscaler

#: Of each stage, float and integer; and by how much the outcome may differ.
STEPS, TOLERANCE_DB = 700, 0.05
SUITE, SET = "train_small", "BSD100"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--record", action="store_true", dest="is_recorded", help="write down what came out")
    options = parser.parse_args()
    before = record.read(SUITE)
    if before is None and not options.is_recorded:
        raise SystemExit("error: nothing is recorded for this version to compare with; add --record")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pocketsr-small-") as name:
        psnr_db = trained(options.data, Path(name))
    minutes = (time.perf_counter() - began) / 60
    print(f"{SET} ×3, int8, {STEPS} + {STEPS} steps: {psnr_db:.3f} dB, {minutes:.1f} minutes")
    if options.is_recorded:
        figures = {"steps": STEPS, "data": SET, "psnr_db": round(psnr_db, 3), "protocol": "scsrn"}
        print(record.write(SUITE, figures))
        return 0
    assert before is not None
    off = psnr_db - before["psnr_db"]
    is_reached = abs(off) <= TOLERANCE_DB
    print(f"recorded: {before['psnr_db']:.3f} dB; {off:+.3f}, {'reached' if is_reached else 'not reached'}")
    return int(not is_reached)


def trained(data: Path, folder: Path) -> float:
    """Return PSNR of the int8 file that comes of it."""
    run, file = folder / "run", folder / "small.tflite"
    call("train", "bank", "--network", "abpn", "--steps", STEPS, "--data", data / "train", "-o", run, "-t", 1)
    call("export", run / "integer.pt", "-o", file, "--images", data / "benchmarks" / SET, "--count", 2)
    protocol = find_protocol("scsrn")
    report = evaluate(Upscaler(file), data / "benchmarks" / SET, scale=3, protocols=[protocol], with_ssim=False)
    return report.mean(protocol.name).psnr_db


def call(*words: object) -> None:
    """Call pocketsr as a user would."""
    done = CliRunner().invoke(pocketsr, [str(word) for word in words])
    print(done.stderr.strip().splitlines()[-1])
    if done.exit_code:
        raise SystemExit(done.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
