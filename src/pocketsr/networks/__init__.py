"""Networks: one file each, and this list. A new network is one import and one row here; contract tests find it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pocketsr.blocks import Network
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.networks.abpn import ABPN
from pocketsr.networks.published import PublishedSize, published_sizes

__all__ = ["NETWORKS", "NetworkEntry", "PublishedSize", "build", "published_sizes"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkEntry:
    """One row of the list.

    Attributes:
        make: The network's class; called with keyword options only.
        scales: Factors it is defined for.
        parameters: Parameters of the folded network by scale, counted from the paper's layers.
        source: Where it was published.
        preset: Options that this row sets; the caller's come on top.
        not_float32: Why it has no float32 ``.tflite``; empty where it has one.
        not_int8: Why it has no int8 ``.tflite``; empty where it has one.
        not_onnx: Why it has no ``.onnx``; empty where it has one.
    """

    make: Callable[..., Network]
    scales: tuple[int, ...]
    parameters: Mapping[int, int]
    source: str
    preset: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    not_float32: str = ""
    not_int8: str = ""
    not_onnx: str = ""


NETWORKS: Mapping[str, NetworkEntry] = {
    "abpn": NetworkEntry(
        make=ABPN,
        scales=(2, 3, 4),
        parameters={2: 33_464, 3: 42_539, 4: 62_048},
        source="Du et al., Anchor-based Plain Net for Mobile Image Super-Resolution, CVPRW 2021",
    ),
}


def build(name: str, options: Mapping[str, Any]) -> Network:
    """Make the network of that name with those keyword options.

    Raises:
        UnknownNameError: No network has that name.
        SettingError: The network does not take one of the options, or not that value.
    """
    if name not in NETWORKS:
        raise UnknownNameError.among("network", name, NETWORKS)
    entry = NETWORKS[name]
    try:
        return entry.make(**{**entry.preset, **options})
    except TypeError as error:
        raise SettingError(f"network {name!r}: {error}") from error
