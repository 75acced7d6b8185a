"""Networks: one file each, and this list. A new network is one import and one line here; contract tests find it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pocketsr.blocks import Network
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.networks.abpn import ABPN

__all__ = ["NETWORKS", "NetworkEntry", "build"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkEntry:
    """One row of the list.

    Attributes:
        make: The network's class; called with keyword options only.
        scales: Factors it is defined for.
        parameters: Parameters of the folded network by scale, counted from the paper's layers.
        source: Where it was published.
    """

    make: Callable[..., Network]
    scales: tuple[int, ...]
    parameters: Mapping[int, int]
    source: str


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
    try:
        return NETWORKS[name].make(**options)
    except TypeError as error:
        raise SettingError(f"network {name!r}: {error}") from error
