"""Outputs side by side: one figure for each window, with its difference map and the makings of a slider.

The slider itself is made by the page's script from the images that stand here, so that none is embedded twice and a
page without scripts still shows them all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pocketsr.report.captions import caption
from pocketsr.report.crops import LOSSY_QUALITY, MAGNIFIED, TRUTH, Crops, encode
from pocketsr.report.markup import Markup, element, join
from pocketsr.report.runs import Comparison, DataSet
from pocketsr.report.tables import figure

#: Bytes of image data in a page from which images are made lossy.
LOSSLESS_UP_TO = 10 * 2**20
_WORDS = {"worst": "The worst image", "median": "The median image", "best": "The best image"}


class Encoder:
    """Makes images part of the page: lossless at first, lossy once they have become many bytes.

    Args:
        lossless_up_to: Bytes that may be spent without loss.
    """

    def __init__(self, lossless_up_to: int = LOSSLESS_UP_TO) -> None:
        self.left = lossless_up_to

    def __call__(self, pieces: Sequence[npt.NDArray[np.uint8]]) -> tuple[list[str], str]:
        """Return the images of one figure as data URIs, and in words how they are kept; all in the same way."""
        uris = [encode(pixels, is_lossless=True) for pixels in pieces]
        size = sum(len(uri) for uri in uris)
        if size <= self.left:
            self.left -= size
            return uris, "lossless WebP"
        self.left = 0
        return [encode(pixels, is_lossless=False) for pixels in pieces], f"WebP of quality {LOSSY_QUALITY}, lossy"


def gallery_figure(
    comparison: Comparison,
    data: DataSet,
    protocol: str,
    crops: Crops,
    encoder: Encoder,
) -> Markup:
    """Return a figure of one window: ground truth, every model, and the magnified difference."""
    place = crops.place
    names = list(crops.pieces)
    uris, kept = encoder([*crops.pieces.values(), crops.difference])
    height, width = crops.difference.shape[:2]
    by_label = {run.label: run for run in comparison.runs}
    where = f"{place.image}, rows {place.top} to {place.top + height}, columns {place.left} to {place.left + width}"
    tiles = []
    for name, uri in zip(names, uris[:-1], strict=True):
        below = name
        if run := by_label.get(name):
            psnr_db = comparison.per_image(run, data, protocol, "psnr_db").get(place.image)
            below = f"{name} · {figure(psnr_db, 'dB')} dB"
        tiles.append(_tile(uri, f"{name}: {where}", below, height, width, name=name))
    first, second = crops.compared
    words = f"difference ×{MAGNIFIED}"
    tiles.append(_tile(uris[-1], f"{words} of {first} and {second}: {where}", words, height, width, name=None))
    title = "; ".join(_reason(reason, crops, data) for reason in place.reasons)
    text = (
        f"{title}: {where}, where {first} and {second} differ most in it. Shown twice as large, without smoothing; "
        f"{kept}. The last image is the absolute difference of {first} and {second}, {MAGNIFIED} times. "
        f"PSNR is the whole image's, protocol {protocol}."
    )
    return element(
        "figure",
        element("div", *tiles, class_="tiles"),
        caption(text, [run for run in comparison.runs if run.label in crops.pieces], [data]),
        class_="crops",
        data_first=names.index(first),
        data_second=names.index(second),
    )


def gallery(figures: Sequence[Markup], notes: Sequence[str]) -> Markup:
    """Return the part of a set that shows outputs, or says why it cannot."""
    if not figures and not notes:
        return join()
    said = [element("p", f"{note}.", class_="note") for note in notes]
    hint = element(
        "noscript", element("p", "The slider needs JavaScript; all images stand side by side.", class_="note")
    )
    return join(element("h4", "Outputs side by side"), *said, hint if figures else join(), *figures)


def _tile(uri: str, alt: str, below: str, height: int, width: int, *, name: str | None) -> Markup:
    image = element("img", src=uri, alt=alt, width=2 * width, height=2 * height, data_name=name)
    return element("div", image, element("p", below), class_="tile")


def _reason(reason: str, crops: Crops, data: DataSet) -> str:
    first, second = crops.compared
    if reason not in _WORDS:
        return f"The window of {data.label} where {first} and {second} differ most"
    if first == TRUTH:
        return f"{_WORDS[reason]} of {data.label} by PSNR of {second}"
    return f"{_WORDS[reason]} of {data.label} for {second} against {first} by PSNR"
