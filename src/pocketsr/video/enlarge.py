"""One picture of a video enlarged: through RGB, or on its own luma where the network knows brightness only.

    RGB       YUV ──> RGB ──network──> RGB ──> YUV
    luma      Y ──network──> Y,  U and V ──bicubic──> U and V     (no way through RGB: chroma stays as it was coded)

What is enlarged is written where the next stage takes it: a network fills the planes of the frame that is encoded.

Networks take 8 bits. What deeper video holds beyond them is enlarged by bicubic and added, so that a smooth sky stays
smooth. Knows nothing of files or of the pictures' order.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.runtime import Upscaler
from pocketsr.runtime.pixels import Pixels
from pocketsr.video.colour import Colour, Converter, packed_of, plane_of
from pocketsr.video.formats import pixel_format
from pocketsr.video.resample import enlarge_plane
from pocketsr.video.reuse import LastPicture, ReusingUpscaler

#: Steps of 16 bits in one of 8.
_DEEP = 257


class Enlarger:
    """Enlarges pictures of one video, in one thread.

    Attributes:
        scale: Output side over input side.
        colour_s: Seconds spent on colour conversion so far.
        network_s: Seconds spent in the network so far.
    """

    def __init__(
        self, upscaler: Upscaler, colour: Colour, target: str, *, reuse: bool = True, last: LastPicture | None = None
    ) -> None:
        """Prepare for a video.

        Args:
            upscaler: A model that is ready.
            colour: What the input's numbers mean; the output's mean the same.
            target: Pixel format of the output.
            reuse: Whether parts that did not change are left out.
            last: The picture before, shared with the other threads' enlargers; None for one of its own.
        """
        self.scale, self._channels = upscaler.scale, upscaler.spec.channels
        self._run = ReusingUpscaler(upscaler, is_enabled=reuse, last=last)
        self._converter = Converter(colour)
        self._colour, self._target = colour, target
        self.colour_s = self.network_s = 0.0

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles that were run, and tiles of all pictures."""
        return self._run.tiles_run, self._run.tiles

    def __call__(self, frame: Any) -> Any:
        """Return a decoded frame enlarged, in the target's pixel format."""
        start, before = time.perf_counter(), self.network_s
        is_luma = self._channels == 1 and not pixel_format(frame.format.name).is_rgb
        enlarged = self._by_luma(frame) if is_luma else self._by_rgb(frame)
        self.colour_s += time.perf_counter() - start - (self.network_s - before)
        return enlarged

    def _network(self, image: Pixels, out: Pixels | None = None) -> Pixels:
        start = time.perf_counter()
        result = self._run(image, out)
        self.network_s += time.perf_counter() - start
        return result

    def _by_rgb(self, frame: Any) -> Any:
        rgb = self._converter.to_rgb(frame)
        if rgb.dtype == np.uint8:
            larger = self._converter.empty(rgb.shape[0] * self.scale, rgb.shape[1] * self.scale, "rgb24")
            self._network(rgb.view(np.uint8), packed_of(larger))
            return self._converter.converted(larger, self._target)
        base = ((rgb.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)
        enlarged = self._network(base)
        if pixel_format(self._target).bits == 8:
            return self._converter.to_frame(enlarged, self._target)
        rest = rgb.astype(np.float32) - base.astype(np.float32) * _DEEP
        deep = enlarged.astype(np.float32) * _DEEP + enlarge_plane(rest, self.scale)
        return self._converter.to_frame(_rounded(deep, 65535).astype(np.uint16), self._target)

    def _by_luma(self, frame: Any) -> Any:
        """Enlarge all of a frame by bicubic where its chroma lies, and put the network's luma in the place of that."""
        planar = self._converter.to_planes(frame)
        goal = pixel_format(self._target)
        is_direct = goal.is_planar and not goal.is_rgb and not goal.has_alpha
        form = self._target if is_direct else pixel_format(planar.format.name).planar
        larger = self._converter.resized(planar, form, planar.height * self.scale, planar.width * self.scale)
        self._luma(
            plane_of(planar, 0), pixel_format(planar.format.name).bits, plane_of(larger, 0), pixel_format(form).bits
        )
        return larger if is_direct else self._converter.converted(larger, self._target)

    def _luma(self, plane: npt.NDArray[Any], bits: int, out: npt.NDArray[Any], out_bits: int) -> None:
        """Enlarge luma of any depth. Full range goes in as it is: what was trained on studio range does no worse."""
        if bits == out_bits == 8:
            self._network(plane, out)
            return
        exact = plane.astype(np.float32) * (1 / self._step(bits))
        base = np.minimum(np.rint(exact), 255).astype(np.uint8)
        larger = self._network(base).astype(np.float32) + enlarge_plane(exact - base, self.scale)
        out[...] = _rounded(larger * self._step(out_bits), (1 << out_bits) - 1)

    def _step(self, bits: int) -> float:
        """Return how many steps of luma make one of 8 bits: in full range white is all ones, in studio range 235."""
        return ((1 << bits) - 1) / 255 if self._colour.is_full else float(1 << (bits - 8))


def _rounded(values: npt.NDArray[np.float32], white: int) -> npt.NDArray[np.float32]:
    np.rint(values, out=values)
    return np.clip(values, 0, white, out=values)
