"""What a video's numbers mean as colour, and the way to RGB and back through libswscale.

    frame (YUV, any depth) ──to_rgb──> uint8 or uint16 (H, W, 3) ──network──> ──to_frame──> frame (YUV, any depth)

libswscale is told matrix and range both ways and rounds accurately: on random colours it is within one level of exact
arithmetic, BT.601, 709 and 2020, both ranges, both ways (``tests/video/test_video_colour.py`` measures it), at a
twentieth of numpy's time. Primaries and transfer are carried along, never converted. Knows nothing of files.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import VideoFileError
from pocketsr.video.formats import PixelFormat, pixel_format
from pocketsr.video.pyav import load_av

#: Codes of ITU-T H.273, which every codec shares.
RGB, BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 0, 1, 2, 4, 5, 6, 7, 9
#: libswscale's numbers for the matrices it knows.
_SWSCALE = {BT709: 1, FCC: 4, BT470BG: 5, SMPTE170M: 5, SMPTE240M: 7, BT2020: 9}
#: From this size on, players take video that does not say for BT.709.
_HD_WIDTH, _HD_HEIGHT = 1280, 720
#: Range: studio (16..235) or full (0..255).
STUDIO, FULL = 1, 2

_Rgb = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclasses.dataclass(frozen=True)
class Colour:
    """What the numbers of a video mean.

    Attributes:
        matrix: YUV from RGB, a code of H.273; never unspecified.
        is_full: Whether the range is full (0..255) and not studio (16..235).
        primaries: Code of H.273, 2 where the video does not say.
        transfer: Likewise.
    """

    matrix: int
    is_full: bool
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @property
    def range(self) -> int:
        """``STUDIO`` or ``FULL``."""
        return FULL if self.is_full else STUDIO

    @property
    def swscale(self) -> int:
        """The number libswscale has for the matrix."""
        return _SWSCALE[self.matrix]


def colour_of(frame: Any) -> Colour:
    """Return what the numbers of a decoded frame mean.

    A frame that does not name its matrix gets the one players take by its size, BT.709 from 1280×720 on and BT.601
    below. The enlarged video says so: without, players would go by the larger size and show other colours.

    Args:
        frame: PyAV's ``VideoFrame``.

    Raises:
        VideoFileError: The matrix is one that libswscale does not know (YCgCo, ICtCp, BT.2020 constant luminance).
    """
    form = pixel_format(frame.format.name)
    matrix = int(frame.colorspace)
    if form.is_rgb:
        return Colour(BT709, False, int(frame.color_primaries), int(frame.color_trc))
    if matrix in (UNSPECIFIED, RGB, 3):
        matrix = BT709 if frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT else SMPTE170M
    if matrix not in _SWSCALE:
        raise VideoFileError(
            f"the video's colour matrix is number {matrix} of H.273; BT.601, BT.709, BT.2020 (not constant luminance), "
            "FCC and SMPTE 240M are known; convert it first"
        )
    is_full = int(frame.color_range) == FULL or form.name.startswith("yuvj")
    return Colour(matrix, is_full, int(frame.color_primaries), int(frame.color_trc))


class Converter:
    """Frames of one video to RGB and back.

    Each object is used by one thread: libswscale's tables are kept between frames.
    """

    def __init__(self, colour: Colour) -> None:
        self.colour = colour
        self._av = load_av()
        from av.video.reformatter import Interpolation, VideoReformatter

        self._to, self._from, self._large = VideoReformatter(), VideoReformatter(), VideoReformatter()
        self._flags = int(
            Interpolation.BICUBIC
            | Interpolation.ACCURATE_RND
            | Interpolation.FULL_CHR_H_INT
            | Interpolation.FULL_CHR_H_INP
            | Interpolation.BITEXACT
        )

    def to_rgb(self, frame: Any) -> _Rgb:
        """Return a frame as RGB, full range: uint8 ``(H, W, 3)``, or uint16 where it holds more than 8 bits.

        It is a view into a frame of its own where it can be; not to be written to.
        """
        form = pixel_format(frame.format.name)
        target = "rgb48le" if form.bits > 8 else "rgb24"
        return packed_of(self._frame(self._to, frame, target, FULL if form.is_rgb else self.colour.range, FULL))

    def to_planes(self, frame: Any) -> Any:
        """Return a YUV frame as one whose components have planes of their own: itself where it is such a one."""
        form = pixel_format(frame.format.name)
        if form.is_planar:
            return frame
        return self._frame(self._to, frame, form.planar, self.colour.range, self.colour.range)

    def to_frame(self, rgb: _Rgb, target: str) -> Any:
        """Return RGB as a frame of a pixel format.

        Args:
            rgb: uint8 or uint16 ``(H, W, 3)``, full range.
            target: Name of the format.
        """
        frame = self.empty(*rgb.shape[:2], "rgb48le" if rgb.dtype == np.uint16 else "rgb24")
        packed_of(frame)[...] = rgb
        return self.from_rgb(frame, target)

    def from_rgb(self, frame: Any, target: str) -> Any:
        """Return a frame of ``rgb24`` or ``rgb48le`` in another pixel format."""
        return self.converted(frame, target, FULL)

    def converted(self, frame: Any, target: str, source_range: int | None = None) -> Any:
        """Return a frame in another pixel format, YUV unless ``source_range`` says how its numbers are to be taken."""
        is_rgb = pixel_format(target).is_rgb
        given = self.colour.range if source_range is None else source_range
        return self._frame(self._from, frame, target, given, FULL if is_rgb else self.colour.range)

    def enlarged(self, frame: Any, target: str, scale: int) -> Any:
        """Return a YUV frame enlarged by bicubic, its chroma staying where it lies, in another YUV format."""
        size = {"height": frame.height * scale, "width": frame.width * scale}
        return self._frame(self._large, frame, target, self.colour.range, self.colour.range, **size)

    def empty(self, height: int, width: int, form: str) -> Any:
        """Return a frame whose pixels are not set."""
        return self._av.VideoFrame(width, height, form)

    def from_planes(self, planes: list[npt.NDArray[Any]], form: str, target: str) -> Any:
        """Return planes of the planar format ``form`` as a frame of the format ``target``."""
        frame = self.empty(*planes[0].shape, form)
        for index, values in enumerate(planes):
            plane_of(frame, index)[...] = values
        return self.converted(frame, target)

    def _frame(self, way: Any, frame: Any, target: str, source_range: int, target_range: int, **size: int) -> Any:
        if frame.format.name == target and not size:
            return frame
        return way.reformat(
            frame,
            format=target,
            src_colorspace=self.colour.swscale,
            dst_colorspace=self.colour.swscale,
            src_color_range=source_range,
            dst_color_range=target_range,
            interpolation=self._flags,
            threads=1,
            **size,
        )


def planes_of(frame: Any) -> list[npt.NDArray[Any]]:
    """Return copies of the planes of a planar frame, without the padding of their rows."""
    return [plane_of(frame, index).copy() for index in range(len(frame.planes))]


def plane_of(frame: Any, index: int) -> npt.NDArray[Any]:
    """Return a plane of a planar frame, ``(H, W)``, uint8 or uint16: a view into the frame."""
    plane = frame.planes[index]
    return _rows(plane, _dtype(pixel_format(frame.format.name)))[:, : plane.width]


def packed_of(frame: Any) -> npt.NDArray[Any]:
    """Return the pixels of a frame of ``rgb24`` or ``rgb48le``, ``(H, W, 3)``: a view into the frame."""
    plane = frame.planes[0]
    rows = _rows(plane, _dtype(pixel_format(frame.format.name)))
    return rows[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)


def is_same_picture(one: Any, other: Any) -> bool:
    """Say whether two decoded frames hold the same bytes in the same format."""
    if one is None or (one.format.name, one.width, one.height) != (other.format.name, other.width, other.height):
        return False
    form = pixel_format(one.format.name)
    return all(
        a.line_size == b.line_size and np.array_equal(_visible(a, form), _visible(b, form))
        for a, b in zip(one.planes, other.planes, strict=True)
    )


def _visible(plane: Any, form: PixelFormat) -> npt.NDArray[np.uint8]:
    """Return the bytes of a plane that are pixels; all of them where pixels are packed."""
    rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
    return rows[:, : plane.width * (2 if form.bits > 8 else 1)] if form.is_planar else rows


def _rows(plane: Any, dtype: Any) -> npt.NDArray[Any]:
    per_row = plane.line_size // np.dtype(dtype).itemsize
    return np.frombuffer(plane, dtype)[: plane.height * per_row].reshape(plane.height, per_row)


@functools.cache
def _dtype(form: PixelFormat) -> Any:
    return np.dtype("<u2") if form.bits > 8 else np.dtype(np.uint8)
