"""What a device could do at best in torch: the rate of matrix products and of memory, by large library kernels.

floor  =  max( multiply-accumulates / products a second ,  bytes moved / bytes a second )
"""

from __future__ import annotations

import dataclasses

import torch

from pocketsr.bench.costs import costs
from pocketsr.gpu.forms import DTYPES
from pocketsr.gpu.timed_forward import timed_forward
from pocketsr.graph import Graph
from pocketsr.graph.base import Size

#: Side of the matrices and bytes of the copy on a GPU, and on a processor, which is slower.
_SIDE, _BYTES = {"cuda": 8192, "cpu": 512}, {"cuda": 1 << 30, "cpu": 1 << 25}
_WARM_UP, _RUNS = 3, 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class DevicePeaks:
    """A device's best.

    Attributes:
        precision: Of the products: ``fp32``, ``fp16`` or ``bf16``.
        gmacs: Multiply-accumulates, 10⁹ a second.
        bandwidth_gb: Memory moved, 10⁹ bytes a second, reading and writing both counted.
    """

    precision: str
    gmacs: float
    bandwidth_gb: float

    def floor_ms(self, graph: Graph, size: Size) -> tuple[float, float]:
        """Return milliseconds that a float graph needs for its products, and for its bytes, each operator's moved once.

        Args:
            graph: Of float32; bytes are counted as of this precision.
            size: (height, width) of the input.
        """
        of_all = costs(graph, size)
        width = torch.finfo(DTYPES[self.precision]).bits / 32
        products = sum(one.macs for one in of_all) / (self.gmacs * 1e6)
        moved = sum(one.moved_bytes for one in of_all) * width / (self.bandwidth_gb * 1e6)
        return products, moved


def device_peaks(device: torch.device, precision: str) -> DevicePeaks:
    """Measure a device; takes about a second.

    Args:
        device: Which.
        precision: Of the products.
    """
    kind = "cuda" if device.type == "cuda" else "cpu"
    side = _SIDE[kind]
    first = torch.rand((side, side), device=device).to(DTYPES[precision])
    second = first.clone()
    product = timed_forward(lambda: first @ second, device=device, warm_up=_WARM_UP, count=_RUNS)
    source = torch.ones(_BYTES[kind], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = timed_forward(lambda: target.copy_(source), device=device, warm_up=_WARM_UP, count=_RUNS)
    return DevicePeaks(
        precision=precision,
        gmacs=side**3 / product.min_ms / 1e6,
        bandwidth_gb=2 * _BYTES[kind] / copied.min_ms / 1e6,
    )
