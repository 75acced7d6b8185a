"""What choosing a model by signs of JPEG is worth, on images kept apart from training; is every promise kept?

    python benchmarks/default_choice.py DATA

Each image of DATA/valid is shrunk, stored as JPEG of many qualities, its colour whole, at half the resolution or left
out, or not as JPEG at all, and enlarged by the model for each kind of input, and by what `--style auto` takes: of the
file, and of its pixels alone as a PNG has them. Promised: on clean images never more than 0.02 dB below the plain
model; of quality 75 and below at least 0.3 dB above it. Ends with exit code 1 where that does not hold. The table also
says up to which quality each model for JPEG is worth taking, which is where the limits in runtime/style.py come from.
"""

from __future__ import annotations

import io
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import record
from PIL import Image

from pocketsr.evaluate import psnr
from pocketsr.image import Photo, crop_to_multiple, downscale, list_images, read_image
from pocketsr.runtime import Upscaler
from pocketsr.runtime.backend import usable_cores
from pocketsr.runtime.photo import network_input
from pocketsr.runtime.style import LIMITS, find_evidence, style_for
from pocketsr.weights import Style, defaults

LOST_DB, GAINED_DB, COARSE = 0.02, 0.3, 75
PAGE = record.ROOT / "docs" / "results" / "default-choice.md"
#: What is chosen from; the first is the plain model.
KINDS: tuple[Style, ...] = ("clean", "jpeg", "jpeg-444", "jpeg-coarse")


class Storing(NamedTuple):
    """JPEG of a quality, with colour at half the resolution (4:2:0; 4:2:2 across alone), whole (4:4:4), or none."""

    quality: int
    colour: str = "4:2:0"

    def __str__(self) -> str:
        return f"JPEG {self.quality}" + ("" if self.colour == "4:2:0" else f", {self.colour}")


STORINGS = (
    *map(Storing, (20, 30, 50, 70, 75, 78, 81, 85, 90, 95, 100)),
    *(Storing(quality, "4:4:4") for quality in (30, 36, 40, 75, 85, 90, 91, 92, 95)),
    *(Storing(quality, "grey") for quality in (60, 72, 75, 90, 91, 92, 95)),
    Storing(75, "4:2:2"),
)


def main(data: Path) -> int:
    scales = sorted(set.intersection(*(set(defaults(kind)) for kind in KINDS)))
    with ProcessPoolExecutor(usable_cores()) as pool:
        rows = [row for made in pool.map(partial(at_scale, data), scales) for row in made]
    if not rows:
        raise SystemExit("error: the catalogue has no scale with a model for clean images and three for JPEG")
    broken = [*faults(rows)]
    results = {"limits": LIMITS, "images": rows[0]["images"], "rows": rows, "broken": broken}
    print(record.write("default_choice", results))
    print(page(results))
    return int(bool(broken))


def at_scale(data: Path, scale: int) -> list[dict[str, Any]]:
    """Return a row for each way of storing."""
    models = {kind: Upscaler(defaults(kind)[scale].name, threads=1) for kind in KINDS}
    found: dict[Storing | None, list[dict[str, Any]]] = {}
    for file in list_images(data / "valid"):
        truth = crop_to_multiple(read_image(file).pixels, scale)
        low = downscale(truth, scale)
        for storing in (None, *STORINGS):
            photo = Photo(low) if storing is None else read_image(stored(low, storing))
            given = network_input(photo)
            aim = truth if given.ndim == 3 else grey(truth)
            made: dict[str, float] = {kind: psnr(model(given), aim) for kind, model in models.items()}
            ways = {"file": photo, "pixels": Photo(photo.pixels)}
            chosen = {way: style_for(find_evidence(one))[0] for way, one in ways.items()}
            found.setdefault(storing, []).append({"name": file.name, **made, **chosen})
    return [row_of(scale, models, storing, images) for storing, images in found.items()]


def row_of(
    scale: int, models: dict[Style, Upscaler], storing: Storing | None, images: list[dict[str, Any]]
) -> dict[str, Any]:
    row: dict[str, Any] = {"scale": scale, "stored": "not as JPEG" if storing is None else str(storing)}
    row |= {"quality": None if storing is None else storing.quality, "images": len(images)}
    row["models"] = {kind: model.spec.name for kind, model in models.items()}
    row["db"] = {kind: fmean(image[kind] for image in images) for kind in KINDS}
    for way in ("file", "pixels"):
        gains = [image[image[way]] - image["clean"] for image in images]
        taken = {kind: sum(image[way] == kind for image in images) for kind in KINDS}
        row[way] = {"gain_db": fmean(gains), "worst_db": min(gains), "taken": taken}
    print(row, file=sys.stderr)
    return row


def stored(image: np.ndarray, storing: Storing) -> bytes:
    file = io.BytesIO()
    if storing.colour == "grey":
        Image.fromarray(grey(image)).save(file, "JPEG", quality=storing.quality)
    else:
        Image.fromarray(image).save(file, "JPEG", quality=storing.quality, subsampling=storing.colour)
    return file.getvalue()


def grey(image: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(image).convert("L"))


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Return what was promised and does not hold."""
    found = []
    for row in rows:
        for way in ("file", "pixels"):
            gain, worst = row[way]["gain_db"], row[way]["worst_db"]
            where = f"×{row['scale']}, by its {way}"
            if row["quality"] is None and worst < -LOST_DB:
                found.append(f"{where}, clean: an image loses {-worst:.3f} dB")
            if row["quality"] is not None and row["quality"] <= COARSE and gain < GAINED_DB:
                found.append(f"{where}, {row['stored']}: {gain:+.3f} dB, not {GAINED_DB:+.1f}")
    return found


def page(results: dict[str, Any]) -> str:
    def kinds(colour: str) -> str:
        return ", ".join(f"up to quality {up_to} the `{style}` one" for up_to, style in results["limits"][colour])

    lines = [
        "# Which model is taken where none is named",
        "",
        "Written by `make docs`; made again by `python benchmarks/default_choice.py DATA`. "
        f"{results['images']} images kept apart from training, shrunk by MATLAB's bicubic, then stored, colour at half "
        "the resolution where nothing else is said; mean PSNR, no border, RGB, of grey ones of grey.",
        "",
        f"Of files with colour at half the resolution {kinds('halved')}; of those with whole colour (4:4:4) "
        f"{kinds('whole')}; of grey ones {kinds('none')}; that for clean images above. By pixels, of the quality and "
        "the colour that they show. *Taken* is how many got the one for JPEG, for 4:4:4, and for coarse JPEG.",
    ]
    for scale in dict.fromkeys(row["scale"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["scale"] == scale]
        plain, *others = rows[0]["models"].values()
        lines += [
            "",
            f"## ×{scale}: {', '.join((plain, *others))}",
            "",
            f"| stored | {plain} dB | {' | '.join(others)} | chosen by file: gain | worst image | taken "
            "| chosen by pixels: gain | worst image | taken |",
            "|---" * (len(others) + 8) + "|",
        ]
        lines += [line(row) for row in rows]
    broken = results["broken"]
    promised = (
        f"never more than {LOST_DB} dB lost on a clean image, {GAINED_DB} dB or more gained up to quality {COARSE}"
    )
    lines += ["", f"Promised: {promised}. " + ("It holds." if not broken else "It does not hold:")]
    lines += [f"- {fault}" for fault in broken]
    return "\n".join(lines) + "\n"


def line(row: dict[str, Any]) -> str:
    plain, *others = row["db"].values()
    cells = [row["stored"], f"{plain:.3f}", *(f"{value - plain:+.3f}" for value in others)]
    for way in (row["file"], row["pixels"]):
        taken = [str(way["taken"][kind]) for kind in KINDS[1:]]
        cells += [f"{way['gain_db']:+.3f}", f"{way['worst_db']:+.3f}", " + ".join(taken)]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    raise SystemExit(main(Path(sys.argv[1])))
