"""Records of evaluations for tests: two models on two sets, with outputs kept, and nothing measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pocketsr.evaluate.record import JudgedFolder, JudgedModel, Latency, Metric, Record, write_record

#: Side of the outputs, pixels: more than a crop's.
SIDE = 200
PROTOCOLS = ("scsrn", "classic")
METRICS = {
    "psnr_db": Metric(is_higher_better=True, unit="dB"),
    "ssim": Metric(is_higher_better=True),
    "lpips-squeeze": Metric(is_higher_better=False),
}
REASON = "niqe needs the file niqe-pris.npz; --weights says where it is"
#: Images by set.
IMAGES: Mapping[str, tuple[str, ...]] = {"Five": ("bird.png", "head.png", "woman.png"), "Town": ("a.png", "b.png")}
#: Hashes by set.
HASHES = {"Five": "5f" * 32, "Town": "70" * 32}
#: PSNR, SSIM and LPIPS by set and image; the second model has its own. ``None``: an output equal to its truth.
FIRST: dict[str, dict[str, tuple[float | None, float, float]]] = {
    "Five": {"bird.png": (33.25, 0.9312, 0.1201), "head.png": (31.5, 0.8725, 0.2), "woman.png": (28.125, 0.9, 0.15)},
    "Town": {"a.png": (24.5, 0.7351, 0.3102), "b.png": (26.75, 0.7802, 0.2804)},
}
SECOND: dict[str, dict[str, tuple[float | None, float, float]]] = {
    "Five": {"bird.png": (33.75, 0.9401, 0.125), "head.png": (31.25, 0.8725, 0.21), "woman.png": (29.0, 0.91, 0.1)},
    "Town": {"a.png": (24.25, 0.7301, 0.3), "b.png": (None, 1.0, 0.0)},
}


def sample_record(
    name: str, figures: Mapping[str, Mapping[str, tuple[float | None, float, float]]], **changes: Any
) -> Record:
    """Return a record of a model; changes are fields of the record, or of its model where the record has none such."""
    model = {
        "name": name,
        "network": "abpn",
        "scale": 3,
        "precision": "int8",
        "parameters": 42_539,
        "gmacs_720p": 4.344,
        "sha256": "ab" * 32,
        "data": "DIV2K",
        "licence": "Apache-2.0",
    }
    own = {key: changes.pop(key) for key in list(changes) if key in model}
    model |= own
    folders = []
    for folder, rows in figures.items():
        by_image = {image: {protocol: _named(values) for protocol in PROTOCOLS} for image, values in rows.items()}
        columns = list(zip(*rows.values(), strict=True))
        means = [None if None in column else sum(column) / len(column) for column in columns]
        folders.append(
            JudgedFolder(
                folder=folder,
                sha256=HASHES[folder],
                scale=model["scale"],
                means={protocol: _named(means) for protocol in PROTOCOLS},
                rows=by_image,
            )
        )
    values: dict[str, Any] = {
        "model": JudgedModel(**model),
        "command": f"pocketsr evaluate {name} Five Town -o {name}.json",
        "date": "2026-01-02T03:04:05+00:00",
        "processor": "Sample CPU 9",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"numpy": "2.1.0", "pocketsr": "0.1.0"},
        "latency": Latency(median_ms=12.5, height=360, width=640, threads=2),
        "reports": tuple(folders),
        "metrics": METRICS,
        "unavailable": {"niqe": REASON},
        "outputs": None,
    }
    return Record(**(values | changes))


def write_pair(folder: Path, *, with_outputs: bool = True) -> list[Path]:
    """Write two records that compare, with their outputs, and return where they lie."""
    paths = []
    for number, (name, figures) in enumerate((("small-x3", FIRST), ("large-x3", SECOND))):
        changes: dict[str, Any] = {"outputs": f"out-{name}"} if with_outputs else {}
        if number:
            changes |= {
                "precision": "float32",
                "parameters": 1_250_000,
                "gmacs_720p": 131.25,
                "latency": Latency(median_ms=310.0, height=360, width=640, threads=2),
            }
        if with_outputs:
            write_outputs(folder / f"out-{name}", strength=3 + 5 * number)
        paths.append(folder / f"{name}.json")
        write_record(sample_record(name, figures, **changes), paths[-1])
    return paths


def write_outputs(folder: Path, *, strength: float, side: int = SIDE) -> None:
    """Write outputs and ground truths of all images: circles, the outputs shaken by so many levels."""
    for data, images in IMAGES.items():
        (folder / data).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            rows, columns = np.mgrid[0:side, 0:side]
            rings = 127 + 110 * np.sin(np.hypot(rows - 40 * number, columns - 90) / (4 + number))
            truth = np.stack([rings, rings.T, 255 - rings], axis=2)
            noise = np.random.default_rng(number).normal(0, strength, truth.shape)
            noise[: side // 2] *= 2
            for name, pixels in ((f"{Path(image).stem}.truth.png", truth), (image, truth + noise)):
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / data / name)


def _named(values: Any) -> dict[str, float | None]:
    return dict(zip(METRICS, values, strict=True))
