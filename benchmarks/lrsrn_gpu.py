"""LRSRN ×2 and ×3 to 4K on a GPU, in every form, by the protocol of NTIRE 2023; a record of `pocketsr bench`'s form.

    python benchmarks/lrsrn_gpu.py [--device cuda] [--precision fp16] [-o RECORD.json]

50 forwards that are not counted and 244 that are, between CUDA events, of one 1080×1920 (×2) or 720×1280 (×3) image
that is on the device already; the mean. Weights are random, which cost the same. Beside each: its share of what the
device could do, in products and in bytes at the rates measured here, and the challenge's score that LRSRN's printed
PSNR would have at that mean. On a processor, which is for trying the script, small sizes do:
`--device cpu --precision fp32 --size 24x32 --warm-up 1 --runs 2`.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import record
import torch

from pocketsr.bench import Measured, Record, this_machine, write_record
from pocketsr.bench.measure import size_figures
from pocketsr.bench.record import MeasuredModel
from pocketsr.bench.sizes import input_size
from pocketsr.blocks import Network
from pocketsr.cli.circumstances import command_line, versions
from pocketsr.errors import SettingError
from pocketsr.evaluate.challenge import find_track
from pocketsr.gpu import FORMS, TIMED, WARM_UP, DevicePeaks, Form, device_peaks, make_ready, timed_forward
from pocketsr.gpu.forms import find_form
from pocketsr.gpu.torch_contender import backend_name, torch_device
from pocketsr.lower import trace
from pocketsr.networks import build

#: LRSRN's PSNR in dB as its Table 3 prints it, ×2's recovered from the score beside it.
PRINTED_DB = {2: 32.83, 3: 30.15}


def measured(
    network: Network, form: Form, size: str, peaks: DevicePeaks, device: torch.device, warm_up: int, count: int
) -> Measured:
    """Time one network in one form."""
    scale = network.scale
    height, width = input_size(size, scale)
    ready = make_ready(network, form, (1, 3, height, width), device=device, precision=peaks.precision)
    timing = timed_forward(ready.run, device=device, warm_up=warm_up, count=count)
    products, moved = peaks.floor_ms(trace(network), (height, width))
    score = find_track(f"ntire23-x{scale}").score(PRINTED_DB[scale], timing.mean_ms)
    return Measured(
        model=MeasuredModel(
            name=f"lrsrn-x{scale}", network="lrsrn", scale=scale, precision="float32", sha256="", data="random weights"
        ),
        backend=backend_name(device.type, peaks.precision, form.name),
        threads=0,
        load_ms=None,
        peak_memory_mb=torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else None,
        correctness=None,
        sizes=(size_figures((height, width), scale, None, timing),),
        remarks=(
            f"mean {timing.mean_ms:.3f} ms; {100 * products / timing.mean_ms:.0f} % of the matrix peak, "
            f"{100 * moved / timing.mean_ms:.0f} % of the bandwidth; score {score:.2f} at {PRINTED_DB[scale]} dB",
        ),
    )


def main(arguments: list[str] | None = None) -> Path:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--device", default="cuda")
    options.add_argument("--precision", default="fp16", choices=("fp32", "fp16", "bf16"))
    options.add_argument("--size", default="4K", help="of the output, or HEIGHTxWIDTH of the input")
    options.add_argument("--warm-up", default=WARM_UP, type=int)
    options.add_argument("--runs", default=TIMED, type=int)
    options.add_argument("--form", action="append", choices=[form.name for form in FORMS], help="all, if not given")
    options.add_argument("-o", "--output", type=Path)
    given = options.parse_args(arguments)
    device = torch_device(given.device)
    peaks = device_peaks(device, given.precision)
    torch.manual_seed(0)
    results, failed = [], {}
    for scale in (2, 3):
        network = build("lrsrn", {"scale": scale}).folded()
        for form in FORMS if given.form is None else map(find_form, given.form):
            try:
                one = measured(network, form, given.size, peaks, device, given.warm_up, given.runs)
            except (SettingError, RuntimeError) as error:
                failed[f"lrsrn-x{scale}, {form.name}"] = (str(error).splitlines() or [type(error).__name__])[0]
                continue
            results.append(one)
            print(f"{one.model.name:9} {one.backend:32} {one.remarks[0]}", flush=True)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    found = Record(
        command=command_line(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=record.circumstances()["commit"],
        versions=dict(versions()),
        data=f"noise; on {name}: {peaks.gmacs:.0f} GMAC/s in {peaks.precision}, {peaks.bandwidth_gb:.0f} GB/s",
        machine=this_machine(),
        idle=None,
        results=tuple(results),
        failed=failed,
    )
    output: Path = given.output or record.path_of("gpu")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_record(found, output)
    print(output)
    return output


if __name__ == "__main__":
    main()
