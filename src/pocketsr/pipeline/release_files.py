"""The files of a release: every form that a run's network has, each checked against its network on images.

Knows nothing of cards' figures or of where files go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from pocketsr.blocks import Network
from pocketsr.choice import Choice
from pocketsr.compress import IntegerNetwork, quantise
from pocketsr.compress.integer import REWRITES
from pocketsr.errors import LoweringError, SettingError
from pocketsr.graph import Graph, receptive_field
from pocketsr.graph.tflite import read_model
from pocketsr.image import list_images, make_degradation, read_image, rgb_to_y
from pocketsr.image.degrade import BICUBIC
from pocketsr.lower import trace, write_checked
from pocketsr.pipeline.run_facts import RunFacts
from pocketsr.spec import ModelSpec, Precision
from pocketsr.train import read_checkpoint, restore, to_levels
from pocketsr.weights import CardFile

_Pixels = npt.NDArray[np.uint8]

#: Images that a file is checked on, and that ranges are taken from for PTQ.
_CHECKED, _CALIBRATION = 4, 48
#: Figures and files of a model by what made them.
INT8, FLOAT, PTQ = "int8", "float32", "ptq"


class Lows:
    """Low-resolution images as a model takes them, made when they are asked for.

    Made as in its training: ranges of clean images are too wide for JPEG's, and cost LRSRN's models for JPEG 0.01 dB.
    """

    def __init__(self, images: Path, scale: int, channels: int, degradation: Sequence[Choice] = BICUBIC) -> None:
        self._files, self._channels = list_images(images), channels
        self._degrade = make_degradation(degradation, scale)

    def evenly(self, count: int) -> Iterator[_Pixels]:
        """Yield so many, evenly out of all."""
        random = np.random.default_rng(0)
        for file in self._files[:: max(1, len(self._files) // count)][:count]:
            low = self._degrade(read_image(file).pixels, random)
            yield low if self._channels == 3 else rgb_to_y(low)[:, :, None].astype(np.uint8)


def write_files(
    network: Network, facts: RunFacts, name: str, folder: Path, lows: Lows, *, keeps_ptq: bool
) -> dict[str, Path]:
    """Write every file that the network has a form for, checked.

    Args:
        network: The run's float network.
        facts: Of the run; its integer network, if it has one, gives the int8 file.
        name: Of the model.
        folder: Where files go, named by what made them: ``int8``, ``float32``, ``ptq``.
        lows: Images to check on and to take ranges from.
        keeps_ptq: What quantising after training gives is to be the model's int8 file.

    Raises:
        LoweringError: The int8 file is to be kept, and the network has none.
        SettingError: The network has no form that a file can hold.
        ParityError: A file does not compute what its network computes.
    """
    plain = network.folded()
    networks: dict[str, nn.Module] = {}
    with suppress(LoweringError):
        trace(plain)
        networks[FLOAT] = plain
    with nullcontext() if keeps_ptq else suppress(LoweringError):
        networks[PTQ] = quantise(
            network, lows.evenly(_CALIBRATION), splits_sums=facts.splits_sums, own_steps=facts.own_steps
        )
    if facts.integer_checkpoint is not None:
        networks[INT8] = restore(read_checkpoint(facts.integer_checkpoint), REWRITES)
    if not networks:
        raise SettingError(f"{name}: its network has no form that a model file can hold")
    names = _names(name, has_int8=INT8 in networks or (keeps_ptq and PTQ in networks))
    return {key: _file(one, folder / f"{key}.tflite", names[key], facts, lows) for key, one in networks.items()}


def _file(network: nn.Module, path: Path, name: str, facts: RunFacts, lows: Lows) -> Path:
    graph: Graph = network.graph() if isinstance(network, IntegerNetwork) else trace(network)  # type: ignore[arg-type]
    precision: Precision = graph.precision
    spec = ModelSpec(
        name=name,
        network=facts.recipe.network.name,
        scale=graph.scale,
        channels=graph.input.channels,
        precision=precision,
        receptive_field=receptive_field(graph),
        recipe=facts.recipe.name,
        data=facts.recipe.data.description,
        licence=facts.recipe.data.licence,
    )
    images = lows.evenly(_CHECKED)
    write_checked(graph, spec, path, forward=lambda image: to_levels(network, image), images=images)
    return path


def _names(name: str, *, has_int8: bool) -> Mapping[str, str]:
    """Return the names of files: the int8 one goes by the model's, and the float one where there is no other."""
    floats = f"{name}-float" if has_int8 else name
    return {INT8: name, FLOAT: floats, PTQ: name}


def in_order(files: Mapping[str, Path]) -> list[tuple[str, Path]]:
    """Return what is kept, what most take first."""
    return [(key, files[key]) for key in (INT8, FLOAT) if key in files]


def card_file(key: str, file: Path, facts: RunFacts) -> CardFile:
    """Return what a card says of a file.

    Args:
        key: What made it: ``int8`` or ``float32``.
        file: Where it lies now.
        facts: Of the run.
    """
    data, (_, spec) = file.read_bytes(), read_model(file)
    trained = "integer-domain training" if facts.integer_checkpoint is not None else "quantised after training"
    return CardFile(
        name=spec.name,
        file=f"{spec.name}.tflite",
        precision=spec.precision,
        made_by=trained if key == INT8 else "float training",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
    )
