"""Which encoder a container gets and what it is told. Knows nothing of files or frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.video.formats import PICTURES_ONLY
from pocketsr.video.pyav import load_av
from pocketsr.video.settings import Encoding

#: Encoders a container is given when none is asked for, the first that this PyAV has.
_FOR_CONTAINER = {
    "webm": ("libvpx-vp9", "libsvtav1"),
    "avi": ("libx264", "mpeg4"),
    "yuv4mpegpipe": ("rawvideo",),
    "rawvideo": ("rawvideo",),
}
_FOR_OTHERS = ("libx264", "libopenh264", "libsvtav1", "mpeg4")
#: What an encoder is told unless asked otherwise: near-transparent quality at a speed for weak machines.
_DEFAULTS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libx265": {"crf": "20", "preset": "veryfast", "x265-params": "log-level=error"},
    "libsvtav1": {"crf": "26", "preset": "10"},
    "libvpx-vp9": {"crf": "24", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
    "ffv1": {"level": "3", "slicecrc": "1"},
    # Their scale of quality, 2 to 31, in the library's unit of 118.
    "mpeg4": {"flags": "+qscale", "global_quality": str(3 * 118)},
    "mjpeg": {"flags": "+qscale", "global_quality": str(2 * 118)},
}
#: Encoders that take ``crf``, and those that take ``preset``.
_WITH_CRF = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "libaom-av1")
_WITH_PRESET = ("libx264", "libx265", "libsvtav1", "h264_nvenc", "hevc_nvenc")
#: Pixel formats of encoders that do not list any.
_UNLISTED: dict[str, tuple[str, ...]] = {
    "rawvideo": ("yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
}


def choose_codec(container: str, asked: str, *, image_codec: str = "") -> str:
    """Return the name of the encoder for a container.

    Args:
        container: As libavformat calls it.
        asked: What the user asked for; empty for none.
        image_codec: What encodes the images of a sequence.

    Raises:
        UnknownNameError: This PyAV has no encoder of that name.
        SettingError: A Y4M pipe or a sequence of images is asked to be encoded.
    """
    if asked:
        if container in PICTURES_ONLY and asked not in ("rawvideo", image_codec):
            raise SettingError(f"{container} holds plain pictures and takes no codec; leave out -c {asked}")
        if not _exists(asked):
            raise UnknownNameError.among("encoder", asked, sorted({*_DEFAULTS, "h264_nvenc", "prores_ks"}))
        return asked
    if image_codec:
        return image_codec
    choices = _FOR_CONTAINER.get(container, _FOR_OTHERS)
    return next((name for name in choices if _exists(name)), choices[-1])


def offered_formats(codec: str) -> Sequence[str]:
    """Return the pixel formats an encoder takes, those of hardware left out; empty for any."""
    formats = load_av().codec.Codec(codec, "w").video_formats or ()
    names = [form.name for form in formats if len(form.components) > 0]
    return names or _UNLISTED.get(codec, ())


def encoder_options(codec: str, encoding: Encoding) -> dict[str, str]:
    """Return what an encoder is told.

    Raises:
        SettingError: The encoder has no such thing as ``crf`` or ``preset``.

    >>> encoder_options("libx264", Encoding(crf=20))
    {'crf': '20', 'preset': 'veryfast'}
    """
    options = dict(_DEFAULTS.get(codec, {}))
    if encoding.bit_rate is not None:
        for name in ("crf", "flags", "global_quality"):
            options.pop(name, None)
        options["b"] = str(encoding.bit_rate)
    if encoding.crf is not None:
        if codec not in _WITH_CRF:
            raise SettingError(f"the encoder {codec} has no --crf; {', '.join(_WITH_CRF)} have")
        options["crf"] = f"{encoding.crf:g}"
    if encoding.preset:
        if codec not in _WITH_PRESET:
            raise SettingError(f"the encoder {codec} has no --preset; {', '.join(_WITH_PRESET)} have")
        options["preset"] = encoding.preset
    return options | dict(encoding.options)


def _exists(name: str) -> bool:
    av: Any = load_av()
    try:
        av.codec.Codec(name, "w")
    except (ValueError, av.error.FFmpegError):
        return False
    return True
