"""What choosing a model by signs of JPEG is worth, on images kept apart from training; is every promise kept?

    python benchmarks/default_choice.py DATA

Each image of DATA/valid is shrunk, stored as JPEG of many qualities or not at all, and enlarged by the plain model, by
the one for JPEG, and by what `--style auto` takes: of the file, and of its pixels alone as a PNG has them. Promised: on
clean images never more than 0.02 dB below the plain model; of quality 75 and below at least 0.3 dB above it. Ends with
exit code 1 where that does not hold. The table also says from which quality on the model for JPEG is worth taking,
which is where `JPEG_QUALITY` in runtime/style.py comes from.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import record
from PIL import Image

from pocketsr.evaluate import psnr
from pocketsr.image import Photo, crop_to_multiple, downscale, list_images, read_image
from pocketsr.runtime import Upscaler
from pocketsr.runtime.style import JPEG_QUALITY, find_evidence, style_for
from pocketsr.weights import defaults

QUALITIES = (20, 30, 50, 60, 75, 85, 90, 92, 93, 94, 95, 96, 98)
LOST_DB, GAINED_DB, COARSE = 0.02, 0.3, 75
PAGE = record.ROOT / "docs" / "results" / "default-choice.md"


def main(data: Path) -> int:
    rows = [row for scale in sorted(set(defaults("clean")) & set(defaults("jpeg"))) for row in at_scale(data, scale)]
    if not rows:
        raise SystemExit("error: the catalogue has no scale with a model for clean images and one for JPEG")
    broken = [*faults(rows)]
    results = {"threshold": JPEG_QUALITY, "images": rows[0]["images"], "rows": rows, "broken": broken}
    print(record.write("default_choice", results))
    print(page(results))
    return int(bool(broken))


def at_scale(data: Path, scale: int) -> list[dict[str, Any]]:
    """Return a row for each way of storing."""
    models = {style: Upscaler(defaults(style)[scale].name) for style in ("clean", "jpeg")}  # type: ignore[arg-type]
    found: dict[int | None, list[dict[str, Any]]] = {}
    for file in list_images(data / "valid"):
        truth = crop_to_multiple(read_image(file).pixels, scale)
        low = downscale(truth, scale)
        for quality in (None, *QUALITIES):
            photo = Photo(low) if quality is None else read_image(stored(low, quality))
            made = {style: psnr(model(photo.pixels), truth) for style, model in models.items()}
            ways = {"file": photo, "pixels": dataclasses.replace(photo, jpeg_quality=None)}
            chosen = {way: style_for(find_evidence(one))[0] for way, one in ways.items()}
            found.setdefault(quality, []).append({"name": file.name, **made, **chosen})
    rows = []
    for quality, images in found.items():
        row: dict[str, Any] = {"scale": scale, "quality": quality, "images": len(images)}
        row |= {style: model.spec.name for style, model in models.items()}
        row["plain_db"] = fmean(image["clean"] for image in images)
        row["jpeg_db"] = fmean(image["jpeg"] for image in images)
        for way in ("file", "pixels"):
            gains = [image[image[way]] - image["clean"] for image in images]
            row[f"{way}_gain_db"], row[f"{way}_worst_db"] = fmean(gains), min(gains)
            row[f"{way}_taken"] = sum(image[way] == "jpeg" for image in images)
        rows.append(row)
        print(row, file=sys.stderr)
    return rows


def stored(image: np.ndarray, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Return what was promised and does not hold."""
    found = []
    for row in rows:
        for way in ("file", "pixels"):
            gain, worst = row[f"{way}_gain_db"], row[f"{way}_worst_db"]
            where = f"×{row['scale']}, by its {way}"
            if row["quality"] is None and worst < -LOST_DB:
                found.append(f"{where}, clean: an image loses {-worst:.3f} dB")
            if row["quality"] is not None and row["quality"] <= COARSE and gain < GAINED_DB:
                found.append(f"{where}, JPEG {row['quality']}: {gain:+.3f} dB, not {GAINED_DB:+.1f}")
    return found


def page(results: dict[str, Any]) -> str:
    lines = [
        "# Which model is taken where none is named",
        "",
        "Written by `make docs`; made again by `python benchmarks/default_choice.py DATA`. "
        f"{results['images']} images kept apart from training, shrunk by MATLAB's bicubic, then stored; mean PSNR, "
        f"RGB, no border. The model for JPEG is taken of quality {results['threshold']:.0f} and below, and of pixels "
        "that show such a quality. *Taken* is how many got it.",
    ]
    for scale in dict.fromkeys(row["scale"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["scale"] == scale]
        lines += [
            "",
            f"## ×{scale}: {rows[0]['clean']} and {rows[0]['jpeg']}",
            "",
            "| stored | plain model dB | model for JPEG | chosen by file: gain | worst image | taken "
            "| chosen by pixels: gain | worst image | taken |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in rows:
            stored_as = "not as JPEG" if row["quality"] is None else f"JPEG {row['quality']}"
            cells = [stored_as, f"{row['plain_db']:.3f}", f"{row['jpeg_db'] - row['plain_db']:+.3f}"]
            for way in ("file", "pixels"):
                cells += [f"{row[f'{way}_{kind}_db']:+.3f}" for kind in ("gain", "worst")] + [str(row[f"{way}_taken"])]
            lines.append("| " + " | ".join(cells) + " |")
    broken = results["broken"]
    promised = (
        f"never more than {LOST_DB} dB lost on a clean image, {GAINED_DB} dB or more gained up to quality {COARSE}"
    )
    lines += ["", f"Promised: {promised}. " + ("It holds." if not broken else "It does not hold:")]
    lines += [f"- {fault}" for fault in broken]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    raise SystemExit(main(Path(sys.argv[1])))
