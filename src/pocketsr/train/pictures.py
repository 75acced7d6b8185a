"""Pictures of what a network makes of validation images: low side, bicubic, its own and the truth beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch import nn

from pocketsr.data import Pair
from pocketsr.evaluate import psnr
from pocketsr.image import resize_bicubic
from pocketsr.image.writing import replacing
from pocketsr.train.images import upscale_with

_CAPTION_ROWS, _GAP = 14, 4


def draw_pictures(network: nn.Module, pairs: Sequence[Pair], path: Path, *, count: int = 4, crop: int = 48) -> None:
    """Draw a sheet: one row for each image, columns low resolution (pixels repeated), bicubic, network, truth.

    Args:
        network: Evaluated as it is; its mode is restored.
        pairs: Validation images; the first ``count`` are drawn.
        path: A ``.png``, written whole or not at all; its folder is made if missing.
        count: Rows.
        crop: Side of what is shown, in low-resolution pixels: the place where bicubic errs most.

    Raises:
        ImageFileError: It cannot be written.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            rows = [_row(network, pair, crop) for pair in pairs[:count]]
    finally:
        network.train(was_training)
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=True) as temporary:
        sheet.save(temporary, "PNG")


def _row(network: nn.Module, pair: Pair, crop: int) -> Image.Image:
    scale = pair.high.shape[0] // pair.low.shape[0]
    bicubic = resize_bicubic(pair.low, *pair.high.shape[:2])
    made = upscale_with(network, pair.low)
    top, left, height, width = _busiest(bicubic, pair.high, scale, crop)
    repeated = pair.low.repeat(scale, axis=0).repeat(scale, axis=1)
    columns = {"low": repeated, "bicubic": bicubic, "network": made, "truth": pair.high}
    row = Image.new("RGB", (len(columns) * (width + _GAP), height + _CAPTION_ROWS + _GAP), "white")
    draw, truth = ImageDraw.Draw(row), pair.high[top : top + height, left : left + width]
    for index, (name, image) in enumerate(columns.items()):
        shown = np.ascontiguousarray(image[top : top + height, left : left + width])
        place = (index * (width + _GAP), 0)
        row.paste(Image.fromarray(shown), place)
        words = f"{name} {psnr(shown, truth):.2f} dB" if name in ("bicubic", "network") else name
        draw.text((place[0], height + 1), words, fill="black")
    return row


def _busiest(
    bicubic: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], scale: int, crop: int
) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the crop, in high-resolution pixels, where bicubic errs most."""
    errors = np.square(bicubic.astype(np.float64) - truth).sum(axis=2)
    height, width = (min(side, crop * scale) for side in errors.shape)
    sums = np.pad(errors, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    inside = inside[::scale, ::scale]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top) * scale, int(left) * scale, height, width
