"""Protocols: what a figure means. Two tables are comparable where they share one, and only there.

ground truth ── degradation ──> low resolution ──> what is judged ── rounding ──┐
     └── channels, border ──────────────── PSNR, SSIM <── channels, border ─────┘
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from statistics import fmean
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from pocketsr.choice import Choice
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.evaluate.metrics import psnr, ssim_gaussian, ssim_uniform
from pocketsr.image import crop_to_multiple, degrade, rgb_to_luma, rgb_to_y
from pocketsr.image.degrade import BICUBIC

Channels = Literal["rgb", "studio_y", "full_y", "edsr_y", "swapped_y"]
Rounding = Literal["nearest", "down"]
Fit = Literal["crop", "resize", "stretch"]
Ssim = Literal["gaussian", "uniform"]

_Pixels = npt.NDArray[np.uint8]


def _edsr_y(image: _Pixels) -> npt.NDArray[np.float64]:
    """Return EDSR's luma, unrounded; 65.738 is a misprint of 64.738 that was copied often."""
    return np.asarray(16 + image.astype(np.float64) @ (np.array([65.738, 129.057, 25.064]) / 256))


#: Brightness of uint8 RGB ``(H, W, 3)``.
_LUMA: Mapping[Channels, Callable[[_Pixels], npt.NDArray[np.float64]]] = {
    "studio_y": rgb_to_y,
    "full_y": rgb_to_luma,
    "edsr_y": _edsr_y,
    "swapped_y": lambda image: rgb_to_y(image[..., ::-1]),
}


@dataclasses.dataclass(frozen=True)
class Scores:
    """Figures of one image, or means over images.

    Attributes:
        psnr_db: Peak signal-to-noise ratio in dB, higher is better; infinite for equal images.
        ssim: Structural similarity, higher is better; NaN where it was not asked for.
        more: Other figures that were asked for, by name.
    """

    psnr_db: float
    ssim: float
    more: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @staticmethod
    def mean(scores: Sequence[Scores]) -> Scores:
        """Return the mean of each figure."""
        names = scores[0].more
        return Scores(
            fmean(one.psnr_db for one in scores),
            fmean(one.ssim for one in scores),
            {name: fmean(one.more[name] for one in scores) for name in names},
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """How low-resolution inputs are made and outputs compared with their ground truth.

    Attributes:
        name: Name to ask for.
        channels: ``rgb``; ``studio_y`` is BT.601 luma 16..235 rounded to whole levels; ``full_y`` is luma 0..255;
            ``edsr_y`` is studio luma by EDSR's constants, not rounded; ``swapped_y`` is ``studio_y`` with red and blue
            in each other's place.
        border: Pixels left out at each side, or ``"scale"`` for as many as the scale.
        rounding: How outputs that are not whole numbers become 8-bit before they are compared: ``nearest`` (halves to
            even), or ``down``, as files are written by code that forgets to round. Both clip to 0..255.
        degradation: How inputs are made from the ground truth, step by step, as in training.
        fit: Ground truth whose sides are no multiple of the scale is cropped at the bottom and right (``crop``),
            resized by Pillow's bicubic to the next lower multiple (``resize``), or compared whole with what is
            stretched over it (``stretch``), although the input was made of the cropped part.
        ssim: Window of the structural similarity: ``gaussian`` 11×11 σ 1.5, or ``uniform`` 7×7 with sample covariance.
        source: Whose tables use it, or what it is for where it is ours.
        note: What to know about it, in words.
        aliases: Other names it goes by.
    """

    name: str
    channels: Channels
    border: int | Literal["scale"]
    ssim: Ssim
    source: str
    rounding: Rounding = "nearest"
    degradation: tuple[Choice, ...] = BICUBIC
    fit: Fit = "crop"
    note: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[tuple[Choice, ...], Fit]:
        """What decides the inputs: protocols that agree in it share them."""
        return self.degradation, self.fit

    def degrade(self, truth: _Pixels, scale: int) -> tuple[_Pixels, _Pixels]:
        """Return the low-resolution input, and the ground truth that its enlargement is compared with.

        Args:
            truth: uint8 ``(H, W, 3)`` RGB, both sides at least ``scale``.
            scale: Factor.

        Returns:
            uint8 ``(h, w, 3)``, and uint8 ``(scale·h, scale·w, 3)``, or the whole ground truth where ``fit`` is
            ``stretch``.

        Raises:
            SettingError: The image is smaller than one low-resolution pixel.

        >>> low, truth = find_protocol("abpn").degrade(np.zeros((7, 9, 3), np.uint8), 2)
        >>> low.shape, truth.shape
        ((3, 4, 3), (6, 8, 3))
        """
        if min(truth.shape[:2]) < scale:
            raise SettingError(
                f"an image of {truth.shape[0]}×{truth.shape[1]} pixels is too small to be shrunk by {scale}"
            )
        compared = self.truth(truth, scale)
        source = crop_to_multiple(compared, scale)
        return degrade(source, scale, self.degradation, np.random.default_rng(0)), compared

    def truth(self, photo: _Pixels, scale: int) -> _Pixels:
        """Return what an enlargement is compared with, without making its input."""
        if self.fit == "stretch":
            return photo
        return _resized(photo, scale) if self.fit == "resize" else crop_to_multiple(photo, scale)

    def score(self, image: npt.NDArray[Any], truth: _Pixels, *, scale: int, with_ssim: bool = True) -> Scores:
        """Compare an output with its ground truth.

        Args:
            image: ``(H, W, 3)`` RGB, uint8, or floating point in 0..255, which is rounded as the protocol says.
            truth: uint8, the same shape.
            scale: Factor that the output was enlarged by.
            with_ssim: Compute structural similarity too (slower).

        Raises:
            SettingError: The shapes differ, or too little is left inside the border.

        >>> grey = np.full((32, 32, 3), 100, np.uint8)
        >>> find_protocol("abpn").score(grey + np.uint8(1), grey, scale=2).psnr_db.__round__(2)
        48.13
        """
        if image.shape != truth.shape or truth.ndim != 3:
            raise SettingError(
                f"an output of the shape of its ground truth, {truth.shape}, is needed, not {image.shape}"
            )
        left, right = (self._in_channels(self.compared(pixels, scale=scale)) for pixels in (image, truth))
        similarity = ssim_gaussian if self.ssim == "gaussian" else ssim_uniform
        return Scores(psnr(left, right), similarity(left, right) if with_ssim else float("nan"))

    def compared(self, image: npt.NDArray[Any], *, scale: int) -> _Pixels:
        """Return the part of an image that is compared, as bytes: uint8 ``(H, W, 3)`` without the border.

        Raises:
            SettingError: Too little is left inside the border.
        """
        border = scale if self.border == "scale" else self.border
        height, width = image.shape[:2]
        if min(height, width) <= 2 * border:
            raise SettingError(
                f"protocol {self.name!r} leaves out {border} pixels at each side; nothing is left of {height}×{width}"
            )
        inner = image[border : height - border, border : width - border]
        if inner.dtype == np.uint8:
            return inner
        whole = np.rint(inner) if self.rounding == "nearest" else np.floor(inner)
        result: _Pixels = np.clip(whole, 0, 255).astype(np.uint8)
        return result

    def _in_channels(self, image: _Pixels) -> npt.NDArray[Any]:
        return image if self.channels == "rgb" else _LUMA[self.channels](image)


def _resized(image: _Pixels, multiple: int) -> _Pixels:
    """Return an image at the next lower multiple on both sides, by Pillow's bicubic."""
    height, width = (side // multiple * multiple for side in image.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def _load() -> tuple[Protocol, ...]:
    text = resources.files("pocketsr.evaluate").joinpath("protocols.toml").read_text(encoding="utf-8")
    return tuple(_protocol(values) for values in tomllib.loads(text)["protocols"])


def _protocol(values: dict[str, Any]) -> Protocol:
    values["aliases"] = tuple(values.get("aliases", ()))
    if "degradation" in values:
        steps = values["degradation"]
        values["degradation"] = tuple(Choice(name=one) if isinstance(one, str) else Choice(**one) for one in steps)
    return Protocol(**values)


PROTOCOLS: tuple[Protocol, ...] = _load()


def find_protocol(name: str) -> Protocol:
    """Return the protocol of that name or alias.

    Raises:
        UnknownNameError: There is none.

    >>> find_protocol("abpn").border
    1
    """
    for protocol in PROTOCOLS:
        if name == protocol.name or name in protocol.aliases:
            return protocol
    names = (name for protocol in PROTOCOLS for name in (protocol.name, *protocol.aliases))
    raise UnknownNameError.among("protocol", name, names)
