"""Networks of colour and of brightness on the same clips: decibels of luma and of RGB.

    python benchmarks/video_quality.py FOLDER [--model NAME ...] [--pictures N] [--dry-run]

Pictures of FOLDER's clips (.mp4) are cut to whole multiples, shrunk by libswscale's bicubic in YUV 4:2:0, enlarged as
`pocketsr video` enlarges them, and compared with what they were: peak signal-to-noise ratios over all pictures of a
clip together, a border of the scale left out. Each clip is done twice, shrunk and clean, and shrunk and coded by
libx264 at crf 23, as video comes. Models default to abpn-x3 and every model of the catalogue that knows luma only;
bicubic is libswscale's, and ``NAME + bicubic chroma`` has the luma of a model of colour and bicubic's chroma: what the
chroma of such a model is worth. How long a model takes says ``video.py``. --dry-run prints and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import record

from pocketsr.runtime import Upscaler
from pocketsr.video.colour import Colour, Converter, colour_of, plane_of
from pocketsr.video.enlarge import Enlarger
from pocketsr.weights import entries

CRF = "23"


def originals(clip: Path, scale: int, count: int) -> list[Any]:
    """Return pictures spread over a clip, cut so that they and their chroma can be shrunk by the scale."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        step = max(1, (stream.frames or count) // count)
        frames = [frame for index, frame in enumerate(container.decode(stream)) if index % step == 0][:count]
    unit = 2 * scale
    height, width = frames[0].height // unit * unit, frames[0].width // unit * unit
    return [_cut(frame, height, width) for frame in frames]


def _cut(frame: Any, height: int, width: int) -> Any:
    converter = Converter(colour_of(frame))
    sides = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    planes = [plane_of(frame, index)[:rows, :columns] for index, (rows, columns) in enumerate(sides)]
    return converter.from_planes(planes, "yuv420p", "yuv420p")


def coded(frames: list[Any]) -> list[Any]:
    """Return pictures as libx264 leaves them."""
    encoder: Any = av.codec.CodecContext.create("libx264", "w")
    encoder.height, encoder.width, encoder.pix_fmt = frames[0].height, frames[0].width, "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 25), {"crf": CRF, "preset": "medium"}
    decoder: Any = av.codec.CodecContext.create("h264", "r")
    packets = []
    for index, frame in enumerate(frames):
        frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 25), 0
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    made = [frame for packet in packets for frame in decoder.decode(packet)]
    return [*made, *decoder.decode(None)]


class Errors:
    """Squared errors of luma and RGB, summed up."""

    def __init__(self, colour: Colour, border: int) -> None:
        self._converter, self._border = Converter(colour), border
        self._sums = {"y": [0.0, 0], "rgb": [0.0, 0]}

    def add(self, expected: Any, got: Any) -> None:
        pairs = {"y": (plane_of(expected, 0), plane_of(got, 0))}
        pairs["rgb"] = self._converter.to_rgb(expected), self._converter.to_rgb(got)
        inner = slice(self._border, -self._border)
        for name, (one, other) in pairs.items():
            difference = (one.astype(np.float64) - other)[inner, inner]
            self._sums[name][0] += float((difference**2).sum())
            self._sums[name][1] += difference.size

    def psnr_db(self) -> dict[str, float]:
        """Luma is counted against 255, as tables do, though studio range ends at 235."""
        return {
            name: round(10 * math.log10(255**2 * count / max(total, 1e-9)), 3)
            for name, (total, count) in self._sums.items()
        }


def ways(upscalers: dict[str, Upscaler], colour: Colour, height: int, width: int) -> dict[str, Callable[[Any], Any]]:
    """Return what enlarges a frame to a size, by name."""
    converter = Converter(colour)

    def bicubic(frame: Any) -> Any:
        return converter.resized(frame, "yuv420p", height, width)

    def with_bicubic_chroma(network: Enlarger) -> Callable[[Any], Any]:
        def enlarge(frame: Any) -> Any:
            made = bicubic(frame)
            plane_of(made, 0)[...] = plane_of(network(frame), 0)
            return made

        return enlarge

    found: dict[str, Callable[[Any], Any]] = {"bicubic": bicubic}
    for name, upscaler in upscalers.items():
        network = Enlarger(upscaler, colour, "yuv420p", reuse=False)
        found[Path(name).stem] = network
        if upscaler.spec.channels == 3:
            found[f"{Path(name).stem} + bicubic chroma"] = with_bicubic_chroma(network)
    return found


def measured(clip: Path, models: list[str], count: int) -> dict[str, Any]:
    """Measure every model on one clip: decibels by scale, kind of input and way."""
    rows: dict[str, Any] = {}
    upscalers = {name: Upscaler(name) for name in models}
    for scale in sorted({upscaler.scale for upscaler in upscalers.values()}):
        whole = originals(clip, scale, count)
        colour = colour_of(whole[0])
        height, width = whole[0].height, whole[0].width
        shrink = Converter(colour)
        small = [shrink.resized(frame, "yuv420p", height // scale, width // scale) for frame in whole]
        these = {name: upscaler for name, upscaler in upscalers.items() if upscaler.scale == scale}
        for label, given in (("clean", small), ("coded", coded(small))):
            for name, way in ways(these, colour, height, width).items():
                errors = Errors(colour, scale)
                for expected, frame in zip(whole, given, strict=True):
                    errors.add(expected, way(frame))
                rows.setdefault(f"x{scale}", {}).setdefault(label, {})[name] = errors.psnr_db()
                print(clip.name, scale, label, name, errors.psnr_db(), flush=True)
    return {"pictures": count, "psnr_db": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append")
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    models = given.model or ["abpn-x3", *(entry.name for entry in entries() if entry.channels == 1)]
    clips = sorted(given.folder.glob("*.mp4"))
    results = {"crf": CRF, "clips": {clip.name: measured(clip, models, given.pictures) for clip in clips}}
    print(json.dumps(results, indent=1) if given.dry_run else record.write("video-quality", results))


if __name__ == "__main__":
    main()
