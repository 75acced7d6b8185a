"""Discriminators: networks that tell an upscaled image from a real one, for adversarial training only.

Each takes ``float32 (N, 3, H, W)`` at high resolution, 0..1, and returns logits: whether the image is real, before the
sigmoid that the papers end in (losses apply it where it is numerically safe). One file each, and this list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.networks.discriminators.f2srgan import F2SRGANDiscriminator
from pocketsr.networks.discriminators.pcarn import MultiScaleDiscriminator, PatchDiscriminator
from pocketsr.networks.discriminators.srgan import SRGANDiscriminator

__all__ = ["DISCRIMINATORS", "build_discriminator"]

DISCRIMINATORS: Mapping[str, Callable[..., nn.Module]] = {
    "f2srgan": F2SRGANDiscriminator,
    "pcarn": PatchDiscriminator,
    "pcarn-multiscale": MultiScaleDiscriminator,
    "srgan": SRGANDiscriminator,
}


def build_discriminator(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Make the discriminator of that name with those keyword options.

    Raises:
        UnknownNameError: No discriminator has that name.
        SettingError: It does not take one of the options, or not that value.
    """
    if name not in DISCRIMINATORS:
        raise UnknownNameError.among("discriminator", name, DISCRIMINATORS)
    try:
        return DISCRIMINATORS[name](**options)
    except TypeError as error:
        raise SettingError(f"discriminator {name!r}: {error}") from error
