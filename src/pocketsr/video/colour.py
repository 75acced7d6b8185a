"""What a video's numbers mean as colour, and the way to RGB and back through libswscale.

    frame (YUV, any depth) ──to_rgb──> uint8 or uint16 (H, W, 3) ──network──> ──to_frame──> frame (YUV, any depth)

libswscale is told matrix and range both ways and rounds accurately: on random colours it is within one level of exact
arithmetic, BT.601, 709 and 2020, both ranges, both ways (``tests/video/test_video_colour.py`` measures it), at a
twentieth of numpy's time. Primaries and transfer are carried along, never converted. Knows nothing of files.
"""

from __future__ import annotations

import dataclasses
import functools
from fractions import Fraction
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
        place: Where chroma of half the size lies, as encoders call it; empty where that is not known.
    """

    matrix: int
    is_full: bool
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    place: str = ""

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
    matrix, place = int(frame.colorspace), chroma_place(frame)
    if form.is_rgb:
        return Colour(BT709, False, int(frame.color_primaries), int(frame.color_trc), place)
    if matrix in (UNSPECIFIED, RGB, 3):
        matrix = BT709 if frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT else SMPTE170M
    if matrix not in _SWSCALE:
        raise VideoFileError(
            f"the video's colour matrix is number {matrix} of H.273; BT.601, BT.709, BT.2020 (not constant luminance), "
            "FCC and SMPTE 240M are known; convert it first"
        )
    is_full = int(frame.color_range) == FULL or form.name.startswith("yuvj")
    return Colour(matrix, is_full, int(frame.color_primaries), int(frame.color_trc), place)


class Converter:
    """Frames of one video to RGB and back.

    Each object is used by one thread: libswscale's tables are kept between frames.
    """

    def __init__(self, colour: Colour) -> None:
        self.colour = colour
        self._av = load_av()
        from av.video.reformatter import Interpolation, VideoReformatter

        self._to, self._from, self._large = VideoReformatter(), VideoReformatter(), VideoReformatter()
        self._placers: dict[tuple[str, int, int], Any] = {}
        #: Enlarging YUV, half a level from exact with or without accurate rounding, which takes a third longer.
        self._quick = int(Interpolation.BICUBIC)
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
        return packed_of(self._frame(self._to, frame, target, *self._ranges(frame, target)))

    def to_planes(self, frame: Any) -> Any:
        """Return a YUV frame as one whose components have planes of their own: itself where it is such a one."""
        form = pixel_format(frame.format.name)
        if form.is_planar:
            return frame
        return self._frame(self._to, frame, form.planar, *self._ranges(frame, form.planar))

    def to_frame(self, rgb: _Rgb, target: str) -> Any:
        """Return RGB as a frame of a pixel format.

        Args:
            rgb: uint8 or uint16 ``(H, W, 3)``, full range.
            target: Name of the format.
        """
        frame = self.empty(rgb.shape[0], rgb.shape[1], "rgb48le" if rgb.dtype == np.uint16 else "rgb24")
        packed_of(frame)[...] = rgb
        return self.converted(frame, target)

    def converted(self, frame: Any, target: str) -> Any:
        """Return a frame in another pixel format."""
        return self._frame(self._from, frame, target, *self._ranges(frame, target))

    def resized(self, frame: Any, target: str, height: int, width: int, *, is_full: bool | None = None) -> Any:
        """Return a frame in another size by bicubic, its chroma staying where it lies, and in another pixel format.

        Args:
            frame: In the video's colour, or RGB.
            target: Pixel format.
            height: Pixels.
            width: Pixels.
            is_full: Whether YUV is to have full range; None for the video's.
        """
        source_range, target_range = self._ranges(frame, target)
        if is_full is not None and not pixel_format(target).is_rgb:
            target_range = FULL if is_full else STUDIO
        if (frame.height, frame.width) == (height, width):
            is_same = source_range == target_range and frame.format.name == target
            return frame if is_same else self._frame(self._from, frame, target, source_range, target_range, width=width)
        return self._frame(self._large, frame, target, source_range, target_range, height=height, width=width)

    def empty(self, height: int, width: int, form: str) -> Any:
        """Return a frame whose pixels are not set."""
        return self._av.VideoFrame(width, height, form)

    def from_planes(self, planes: list[npt.NDArray[Any]], form: str, target: str) -> Any:
        """Return planes of the planar format ``form`` as a frame of the format ``target``."""
        frame = self.empty(planes[0].shape[0], planes[0].shape[1], form)
        for index, values in enumerate(planes):
            plane_of(frame, index)[...] = values
        return self.converted(frame, target)

    def _placed(self, frame: Any) -> Any:
        """Return a frame that says where the chroma lies that is made of it; PyAV's frames cannot be told."""
        key = frame.format.name, frame.width, frame.height
        if key not in self._placers:
            graph = self._av.filter.Graph()
            begin = graph.add_buffer(width=key[1], height=key[2], format=key[0], time_base=Fraction(1, 25))
            middle, end = graph.add("setparams", f"chroma_location={self.colour.place}"), graph.add("buffersink")
            begin.link_to(middle)
            middle.link_to(end)
            graph.configure()
            self._placers[key] = begin, end, graph
        begin, end, _ = self._placers[key]
        begin.push(frame)
        return end.pull()

    def _ranges(self, frame: Any, target: str) -> list[int]:
        """Return the ranges of a frame and of what it becomes: RGB is always full."""
        return [FULL if pixel_format(name).is_rgb else self.colour.range for name in (frame.format.name, target)]

    def _frame(self, way: Any, frame: Any, target: str, source_range: int, target_range: int, **size: int) -> Any:
        if frame.format.name == target and not size:
            return frame
        if self.colour.place and not _is_quartered(frame.format.name) and _is_quartered(target):
            frame = self._placed(frame)
        return way.reformat(
            frame,
            format=target,
            src_colorspace=self.colour.swscale,
            dst_colorspace=self.colour.swscale,
            src_color_range=source_range,
            dst_color_range=target_range,
            interpolation=self._quick if size and source_range == target_range else self._flags,
            threads=1,
            **size,
        )


def chroma_place(frame: Any) -> str:
    """Return where the chroma of a 4:2:0 frame lies, as encoders call it; empty where it is not known.

    A frame of full chroma has it on the left: where players look for it when it has become 4:2:0.

    PyAV does not say, but libswscale knows: a ramp of chroma that it takes for that frame's is enlarged, and where it
    comes out says where it was. Chroma that lies in the middle cannot be told from chroma of which nothing is said.
    """
    if not _is_quartered(frame.format.name):
        return "left"
    from av.video.reformatter import Interpolation, VideoReformatter

    flags = int(Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
    given: dict[str, Any] = {"interpolation": flags, "src_colorspace": 1, "dst_colorspace": 1, "threads": 1}
    small = VideoReformatter().reformat(frame, width=32, height=32, format="yuv420p", **given)
    ramp = np.arange(16, dtype=np.uint8) * 8 + 64
    plane_of(small, 1)[...], plane_of(small, 2)[...] = ramp[None, :], ramp[:, None]
    large = VideoReformatter().reformat(small, format="yuv444p", **given)
    # At luma sample 16 a ramp has its value of chroma sample 8 where it lies on the left or on top, and less else.
    is_left, is_top = (int(plane_of(large, index)[16, 16]) >= 8 * 8 + 64 for index in (1, 2))
    return {(True, False): "left", (True, True): "topleft", (False, True): "top"}.get((is_left, is_top), "")


def _is_quartered(name: str) -> bool:
    """Whether a pixel format has a sample of chroma for four of luma."""
    form = pixel_format(name)
    return not form.is_rgb and (form.across, form.down) == (2, 2)


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
    if form.name == "pal8":  # its second plane is the palette, of no lines at all
        return np.frombuffer(plane, np.uint8)
    rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
    return rows[:, : plane.width * (2 if form.bits > 8 else 1)] if form.is_planar else rows


def _rows(plane: Any, dtype: Any) -> npt.NDArray[Any]:
    per_row = plane.line_size // np.dtype(dtype).itemsize
    return np.frombuffer(plane, dtype)[: plane.height * per_row].reshape(plane.height, per_row)


@functools.cache
def _dtype(form: PixelFormat) -> Any:
    return np.dtype("<u2") if form.bits > 8 else np.dtype(np.uint8)
