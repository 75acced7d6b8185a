"""From a network to a checked model file, and the figures of either: what pipelines and ablations have in common."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np
import numpy.typing as npt
from torch import nn

import pocketsr
from pocketsr.blocks import Network
from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.compress.equivalent import equivalent as fold_skip
from pocketsr.data import Pair
from pocketsr.errors import LoweringError, SettingError
from pocketsr.evaluate import psnr, ssim_uniform
from pocketsr.graph import Graph, receptive_field
from pocketsr.image.writing import replacing
from pocketsr.lower import trace, write_checked
from pocketsr.spec import ModelSpec
from pocketsr.train import to_levels, upscale_with

Image = npt.NDArray[np.uint8]
#: File of a network that is no result of its own, in the folder of its step.
MEASURED = "measured.tflite"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured of a network after a step.

    Attributes:
        parameters: Weights and biases in the file, those that places share counted at each, copies not; without, of the
            folded network.
        gmacs: Multiply-accumulates for one image of the ruler's size, in thousand millions.
        precision: Of the file that was run; ``float32`` or ``int8``, or ``torch`` where there can be no file.
        psnr_db: Mean over the ruler's images, RGB, no border.
        ssim: The same, 7×7 windows.
        latency_ms: Median for one image of the ruler's size, LiteRT; None where there can be no file, or it was not
            timed yet.
        kilobytes: Size of the file; None where there can be none.
    """

    parameters: int
    gmacs: float | None
    precision: str
    psnr_db: float
    ssim: float
    latency_ms: float | None
    kilobytes: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ruler:
    """Measures networks, all on the same images and terms.

    Attributes:
        pairs: Images to judge on.
        height: Of the low-resolution image that is timed.
        width: The same.
        runs: Times each file is run; the median counts.
        threads: Processor threads it is run by.
    """

    pairs: Sequence[Pair]
    height: int = 180
    width: int = 320
    runs: int = 7
    threads: int | None = None

    @property
    def lows(self) -> list[Image]:
        """Low-resolution images of the pairs."""
        return [pair.low for pair in self.pairs]

    def row(self, network: nn.Module, folder: Path, *, file: Path | None = None, equivalent: bool = False) -> Row:
        """Lower a network, run its file, and count; ``latencies`` times it beside others.

        Args:
            network: Float or integer.
            folder: Where its file is written, if there is none yet.
            file: The file, if there is one.
            equivalent: As of ``to_file``.
        """
        plain = network.folded() if isinstance(network, Network) else network
        parameters = sum(parameter.numel() for parameter in plain.parameters())
        try:
            graph = _graph(plain, equivalent=equivalent)
        except LoweringError:
            psnr_db, ssim_mean = self._judge(lambda image: upscale_with(plain, image))
            return Row(
                parameters=parameters,
                gmacs=None,
                precision="torch",
                psnr_db=psnr_db,
                ssim=ssim_mean,
                latency_ms=None,
                kilobytes=None,
            )
        if file is None:
            file = to_file(network, folder / MEASURED, check=self.lows[:1], equivalent=equivalent)
        upscaler = pocketsr.load(file, threads=self.threads)
        psnr_db, ssim_mean = self._judge(upscaler)
        return Row(
            parameters=graph.parameter_count(),
            gmacs=graph.multiply_accumulates(self.height, self.width) / 1e9,
            precision=graph.precision,
            psnr_db=psnr_db,
            ssim=ssim_mean,
            latency_ms=None,
            kilobytes=file.stat().st_size / 1000,
        )

    def _judge(self, upscale: Callable[[Image], Image]) -> tuple[float, float]:
        outputs = [(upscale(pair.low), pair.high) for pair in self.pairs]
        return fmean(psnr(*both) for both in outputs), fmean(ssim_uniform(*both) for both in outputs)

    def latencies(self, files: Mapping[str, Path]) -> Mapping[str, float]:
        """Return the median milliseconds of each file, all run in turn, so that what disturbs one disturbs all."""
        image = np.random.default_rng(0).integers(0, 256, (self.height, self.width, 3), dtype=np.uint8)
        upscalers = {name: pocketsr.load(file, threads=self.threads) for name, file in files.items()}
        times: dict[str, list[float]] = {name: [] for name in files}
        for _ in range(self.runs + 1):
            for name, upscale in upscalers.items():
                began = time.perf_counter()
                upscale(image)
                times[name].append(1000 * (time.perf_counter() - began))
        return {name: median(found[1:]) for name, found in times.items()}


def to_file(
    network: nn.Module,
    path: Path,
    *,
    check: Sequence[Image],
    calibration: Sequence[Image] = (),
    name: str = "",
    equivalent: bool = False,
) -> Path:
    """Lower a network to a model file that was run and found equal.

    Args:
        network: Float or integer.
        path: Where to write; what stood there is replaced.
        check: Low-resolution images, uint8 ``(H, W, C)``, to compare file and network on; at least one.
        calibration: Low-resolution images; given, a float network is quantised after training, else it stays float.
        name: What the file calls its network.
        equivalent: Fold a float network's skip into its convolutions; an integer one was made so or not.

    Returns:
        The path.

    Raises:
        LoweringError: The network has no such form.
        ParityError: The file does not compute what the network computes.
    """
    if isinstance(network, Network) and calibration:
        # As the papers quantise whose ablations these are; what `compensated` gains is a matter of its own.
        network = quantise(network, calibration, rounding="nearest", folds_skip=equivalent)
    elif isinstance(network, Network):
        network = network.folded()
    elif not isinstance(network, IntegerNetwork):
        raise SettingError(f"a {type(network).__name__} cannot be lowered: a network or an integer network is needed")
    graph = _graph(network, equivalent=equivalent)
    spec = ModelSpec(
        name=path.stem,
        network=name,
        scale=graph.scale,
        channels=graph.input.channels,
        precision=graph.precision,
        receptive_field=receptive_field(graph),
    )
    write_checked(graph, spec, path, forward=lambda image: to_levels(network, image), images=check)
    return path


def _graph(network: nn.Module, *, equivalent: bool) -> Graph:
    if isinstance(network, IntegerNetwork):
        return network.graph()
    assert isinstance(network, Network)
    graph = trace(network)
    return fold_skip(graph) if equivalent else graph


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
