"""One picture of a video enlarged: through RGB, or on its own luma where the network knows brightness only.

    RGB       YUV ──> RGB ──network──> RGB ──> YUV
    luma      Y ──network──> Y,  U and V ──bicubic──> U and V     (no way through RGB: chroma stays as it was coded)

Networks take 8 bits. What deeper video holds beyond them is enlarged by bicubic and added, so that a smooth sky stays
smooth. Knows nothing of files or of other pictures than the last.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.runtime import Upscaler
from pocketsr.runtime.pixels import Pixels
from pocketsr.video.colour import Colour, Converter, is_same_picture, packed_of, plane_of
from pocketsr.video.formats import pixel_format
from pocketsr.video.resample import enlarge_plane
from pocketsr.video.reuse import ReusingUpscaler

#: Steps of 16 bits in one of 8.
_DEEP = 257
#: What studio range adds to black, and its steps for the 255 of full range.
_BLACK, _STUDIO_STEPS = 16, 219


class Enlarger:
    """Enlarges the pictures of one video.

    Attributes:
        colour_s: Seconds spent on colour conversion so far.
        network_s: Seconds spent in the network so far.
        pictures_reused: Pictures that were those before, and were not run.
    """

    def __init__(self, upscaler: Upscaler, colour: Colour, target: str, *, reuse: bool = True) -> None:
        """Prepare for a video.

        Args:
            upscaler: A model that is ready.
            colour: What the input's numbers mean; the output's mean the same.
            target: Pixel format of the output.
            reuse: Whether parts that did not change are left out.
        """
        self._scale, self._channels = upscaler.scale, upscaler.spec.channels
        self._run = ReusingUpscaler(upscaler, is_enabled=reuse)
        self._converter = Converter(colour)
        self._colour, self._target, self._reuse = colour, target, reuse
        self._last: tuple[Any, Any] | None = None
        self.colour_s = self.network_s = 0.0
        self.pictures_reused = 0

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles that were run, and tiles of all pictures."""
        return self._run.tiles_run, self._run.tiles

    def __call__(self, frame: Any) -> Any:
        """Return a decoded frame enlarged, in the target's pixel format.

        The same object comes back for a frame that equals the one before.
        """
        if self._reuse and self._last is not None and is_same_picture(self._last[0], frame):
            self.pictures_reused += 1
            return self._last[1]
        start, before = time.perf_counter(), self.network_s
        form = pixel_format(frame.format.name)
        enlarged = self._by_luma(frame) if self._channels == 1 and not form.is_rgb else self._by_rgb(frame)
        self.colour_s += time.perf_counter() - start - (self.network_s - before)
        self._last = (frame, enlarged) if self._reuse else None
        return enlarged

    def _network(self, image: Pixels, out: Pixels | None = None) -> Pixels:
        start = time.perf_counter()
        result = self._run(image, out)
        self.network_s += time.perf_counter() - start
        return result

    def _by_rgb(self, frame: Any) -> Any:
        rgb = self._converter.to_rgb(frame)
        if rgb.dtype == np.uint8:
            larger = self._converter.empty(rgb.shape[0] * self._scale, rgb.shape[1] * self._scale, "rgb24")
            self._network(rgb, packed_of(larger))
            return self._converter.from_rgb(larger, self._target)
        base = ((rgb.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)
        enlarged = self._network(base)
        if pixel_format(self._target).bits == 8:
            return self._converter.to_frame(enlarged, self._target)
        rest = rgb.astype(np.float32) - base.astype(np.float32) * _DEEP
        deep = enlarged.astype(np.float32) * _DEEP + enlarge_plane(rest, self._scale)
        return self._converter.to_frame(_rounded(deep, 65535).astype(np.uint16), self._target)

    def _by_luma(self, frame: Any) -> Any:
        """Enlarge all of a frame by bicubic where its chroma lies, and put the network's luma in the place of that."""
        planar = self._converter.to_planes(frame)
        goal = pixel_format(self._target)
        is_direct = goal.is_planar and not goal.is_rgb and not goal.has_alpha
        form = self._target if is_direct else pixel_format(planar.format.name).planar
        larger = self._converter.enlarged(planar, form, self._scale)
        self._luma(
            plane_of(planar, 0), pixel_format(planar.format.name).bits, plane_of(larger, 0), pixel_format(form).bits
        )
        return larger if is_direct else self._converter.converted(larger, self._target)

    def _luma(self, plane: npt.NDArray[Any], bits: int, out: npt.NDArray[Any], out_bits: int) -> None:
        """Enlarge luma. Networks were trained on studio range with 8 bits, so that is what they see."""
        is_full = self._colour.is_full
        if bits == out_bits == 8 and not is_full:
            self._network(plane, out)
            return
        white, out_white = (1 << bits) - 1, (1 << out_bits) - 1
        real = plane.astype(np.float32)
        studio = real * (_STUDIO_STEPS / white) + _BLACK if is_full else real / (1 << (bits - 8))
        base = np.rint(studio).astype(np.uint8)
        larger = self._network(base).astype(np.float32) + enlarge_plane(studio - base, self._scale)
        back = (larger - _BLACK) * (out_white / _STUDIO_STEPS) if is_full else larger * (1 << (out_bits - 8))
        out[...] = _rounded(back, out_white)


def _rounded(values: npt.NDArray[np.float32], white: int) -> npt.NDArray[np.float32]:
    np.rint(values, out=values)
    return np.clip(values, 0, white, out=values)
