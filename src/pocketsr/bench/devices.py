"""Devices that are not here: a network's latency on a phone's accelerator from a printed table of its operators.

    ms  =  overlap · Σ over operators  ms of that operator in the table · numbers made / numbers made in the table

ABPN's Table 1 prints one time for each operator on Synaptics' Dolphin NPU, with outputs of 1080×1920; the paper does
not say their channels, taken to be 3. Operators of a network run one into another and need less than their sum: one
factor is set by the plain network of ABPN's Table 2, which is nothing but convolutions. What the paper does not print
is taken for what is nearest to it (``_LIKE``), depth-to-space for free.

How far that is off is said by networks that papers measured on the same accelerator (``Device.printed``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pocketsr.bench.nodes import ABPN_TABLE_1, LARGE
from pocketsr.errors import UnknownNameError
from pocketsr.graph import Conv2D, Graph, Op
from pocketsr.graph.base import Size

#: Operators of graphs by what the table calls them; those that are not here cost nothing.
_LIKE: Mapping[str, str] = {
    "Add": "add",
    "Subtract": "add",
    "Multiply": "mul",
    "Concat": "concat",
    "Slice": "split",
    "MirrorPad": "split",
    "Relu": "ReLU",
    "Minimum": "ReLU",
    "Requantise": "ReLU",
    "LeakyRelu": "leaky ReLU",
    "PRelu": "leaky ReLU",
    "Elementwise": "leaky ReLU",
    "GlobalMean": "global average pool",
}
#: Numbers that an operator of the table makes.
_NUMBERS = LARGE[0] * LARGE[1] * 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Device:
    """An accelerator known by a table.

    Attributes:
        name: What a user calls it.
        title: What it is.
        ms: Milliseconds of an operator with an output of ``LARGE`` and 3 channels, by name.
        overlap: What a network needs of the sum of its operators, 0 to 1.
        printed: Milliseconds that papers measured for whole networks at 360×640 ×3, by name of the network.
        error: Median relative error on those and the arms of ABPN's Table 2 that no factor was set by, 0 to 1.
    """

    name: str
    title: str
    ms: Mapping[str, float]
    overlap: float
    printed: Mapping[str, float]
    error: float

    def predict(self, graph: Graph, size: Size) -> float:
        """Return milliseconds for one frame.

        Args:
            graph: What the network computes.
            size: (height, width) of its input.

        Raises:
            ModelFileError: The graph cannot take that size.
        """
        sizes = graph.sizes(*size)
        return self.overlap * sum(self._alone(op, sizes[op.output.name], sizes[op.inputs[0].name]) for op in graph.ops)

    def _alone(self, op: Op, made: Size, taken: Size) -> float:
        if isinstance(op, Conv2D):
            # A copy of channels is what the paper joins by concatenation.
            node = "concat" if op.is_copy else "conv 1×1" if op.weight.shape[1:3] == (1, 1) else "conv 3×3"
        else:
            node = _LIKE.get(type(op).__name__, "")
        if node not in self.ms:
            return 0.0
        height, width = taken if node == "global average pool" else made  # it reads an image and makes one number
        return self.ms[node] * height * width * op.output.channels / _NUMBERS


#: Every device there is a table of.
DEVICES: tuple[Device, ...] = (
    Device(
        name="dolphin-npu",
        title="Synaptics Dolphin NPU (VS680), by ABPN's Table 1",
        ms=ABPN_TABLE_1,
        overlap=0.807,
        # ABPN: its Table 2 with the anchor; XLSR: ABPN's Table 4; SCSRN: its Table 6, a year and a compiler later.
        printed={"abpn": 36.8, "xlsr": 44.85, "scsrn": 19.2},
        error=0.155,
    ),
)


def find_device(name: str) -> Device:
    """Return the device of that name.

    Raises:
        UnknownNameError: There is none.

    >>> find_device("dolphin-npu").ms["conv 3×3"]
    4.3
    """
    for device in DEVICES:
        if device.name == name:
            return device
    raise UnknownNameError.among("device", name, ["this", *(device.name for device in DEVICES)])
