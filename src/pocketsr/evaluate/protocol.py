"""Protocols: what a figure means. Two tables are comparable where they share one, and only there.

ground truth ── degradation ──> low resolution ──> what is judged ── rounding ──┐
     └── channels, border ──────────────── PSNR, SSIM <── channels, border ─────┘
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.evaluate.metrics import psnr, ssim_gaussian, ssim_uniform
from pocketsr.image import crop_to_multiple, downscale, rgb_to_luma, rgb_to_y

Channels = Literal["rgb", "studio_y", "full_y"]
Rounding = Literal["nearest", "down"]
Degradation = Literal["matlab_bicubic"]
Ssim = Literal["gaussian", "uniform"]

_Pixels = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Scores:
    """Figures of one image, or means over images.

    Attributes:
        psnr_db: Peak signal-to-noise ratio in dB, higher is better; infinite for equal images.
        ssim: Structural similarity, higher is better; NaN where it was not asked for.
    """

    psnr_db: float
    ssim: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """How low-resolution inputs are made and outputs compared with their ground truth.

    Attributes:
        name: Name to ask for.
        channels: ``rgb``; ``studio_y`` is BT.601 luma 16..235 rounded to whole levels; ``full_y`` is luma 0..255.
        border: Pixels left out at each side, or ``"scale"`` for as many as the scale.
        rounding: How outputs that are not whole numbers become 8-bit before they are compared: ``nearest`` (halves to
            even), or ``down``, as files are written by code that forgets to round. Both clip to 0..255.
        degradation: How inputs are made. ``matlab_bicubic``: ground truth cropped to a multiple of the scale, shrunk as
            MATLAB's ``imresize`` does.
        ssim: Window of the structural similarity: ``gaussian`` 11×11 σ 1.5, or ``uniform`` 7×7 with sample covariance.
        source: Whose tables use it.
    """

    name: str
    channels: Channels
    border: int | Literal["scale"]
    ssim: Ssim
    source: str
    rounding: Rounding = "nearest"
    degradation: Degradation = "matlab_bicubic"

    def degrade(self, truth: _Pixels, scale: int) -> tuple[_Pixels, _Pixels]:
        """Return the low-resolution input, and the ground truth that its enlargement is compared with.

        Args:
            truth: uint8 ``(H, W, 3)`` RGB, both sides at least ``scale``.
            scale: Factor.

        Returns:
            uint8 ``(h, w, 3)`` and uint8 ``(scale·h, scale·w, 3)``.

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
        return downscale(truth, scale), crop_to_multiple(truth, scale)

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
        border = scale if self.border == "scale" else self.border
        left, right = (self._prepared(pixels, border) for pixels in (self._as_bytes(image), truth))
        similarity = ssim_gaussian if self.ssim == "gaussian" else ssim_uniform
        return Scores(psnr(left, right), similarity(left, right) if with_ssim else float("nan"))

    def _as_bytes(self, image: npt.NDArray[Any]) -> _Pixels:
        if image.dtype == np.uint8:
            return image
        whole = np.rint(image) if self.rounding == "nearest" else np.floor(image)
        result: _Pixels = np.clip(whole, 0, 255).astype(np.uint8)
        return result

    def _prepared(self, image: _Pixels, border: int) -> npt.NDArray[Any]:
        height, width = image.shape[:2]
        if min(height, width) <= 2 * border:
            raise SettingError(
                f"protocol {self.name!r} leaves out {border} pixels at each side; nothing is left of {height}×{width}"
            )
        inner = image[border : height - border, border : width - border]
        if self.channels == "rgb":
            return inner
        return rgb_to_y(inner) if self.channels == "studio_y" else rgb_to_luma(inner)


PROTOCOLS: tuple[Protocol, ...] = (
    # The paper prints no SSIM for its own tables; the window is our choice.
    Protocol(name="abpn", channels="rgb", border=1, ssim="gaussian", source="ABPN tables 2-4 (authors' solver)"),
    Protocol(name="scsrn", channels="rgb", border=0, ssim="uniform", source="SCSRN table 2 (models)"),
    Protocol(name="classic", channels="studio_y", border="scale", ssim="gaussian", source="CARN, IMDN and most papers"),
    Protocol(name="luma", channels="full_y", border=0, ssim="uniform", source="LRSRN's PSNR(Y)"),
)


def find_protocol(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        UnknownNameError: There is none.

    >>> find_protocol("abpn").border
    1
    """
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    raise UnknownNameError.among("protocol", name, (protocol.name for protocol in PROTOCOLS))
