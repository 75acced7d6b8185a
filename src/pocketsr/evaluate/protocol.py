"""Protocols: what a figure means. Two tables are comparable where they share one, and only there."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.evaluate.metrics import psnr, ssim_gaussian, ssim_uniform
from pocketsr.image.colour import rgb_to_luma, rgb_to_y

Channels = Literal["rgb", "studio_y", "full_y"]
Ssim = Literal["gaussian", "uniform"]


@dataclasses.dataclass(frozen=True)
class Scores:
    """Figures of one image, or means over images.

    Attributes:
        psnr_db: Peak signal-to-noise ratio in dB, higher is better.
        ssim: Structural similarity, higher is better; NaN where it was not asked for.
    """

    psnr_db: float
    ssim: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """How an output is compared with its ground truth.

    Outputs are 8-bit, rounded half to even and clipped, before they are compared. Low-resolution inputs are made from
    the ground truth, cropped to a multiple of the scale, by MATLAB-compatible bicubic.

    Attributes:
        name: Name to ask for.
        channels: ``rgb``; ``studio_y`` is BT.601 luma 16..235 rounded to whole levels; ``full_y`` is luma 0..255.
        border: Pixels left out at each side, or ``"scale"`` for as many as the scale.
        ssim: Window of the structural similarity.
        source: Whose tables use it.
    """

    name: str
    channels: Channels
    border: int | Literal["scale"]
    ssim: Ssim
    source: str

    def score(
        self, image: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], *, scale: int, with_ssim: bool = True
    ) -> Scores:
        """Compare an output with its ground truth, both uint8 ``(H, W, 3)`` RGB.

        Raises:
            SettingError: The shapes differ, or nothing is left inside the border.
        """
        if image.shape != truth.shape:
            raise SettingError(f"the output is {image.shape}, its ground truth {truth.shape}")
        border = scale if self.border == "scale" else self.border
        left, right = (self._prepared(pixels, border) for pixels in (image, truth))
        similarity = ssim_gaussian if self.ssim == "gaussian" else ssim_uniform
        return Scores(psnr(left, right), similarity(left, right) if with_ssim else float("nan"))

    def _prepared(self, image: npt.NDArray[np.uint8], border: int) -> npt.NDArray[Any]:
        height, width = image.shape[:2]
        inner = image[border : height - border, border : width - border]
        if inner.size == 0:
            raise SettingError(
                f"protocol {self.name!r} leaves out {border} pixels at each side; nothing is left of {height}×{width}"
            )
        if self.channels == "rgb":
            return inner
        return rgb_to_y(inner) if self.channels == "studio_y" else rgb_to_luma(inner)


PROTOCOLS: tuple[Protocol, ...] = (
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
