"""Torch as a contender of ``pocketsr bench``: a saved network or a checkpoint, uint8 array in and uint8 array out.

    uint8 (H, W, 3) ── to the device ──> 0..1 ── form of one size ──> 0..1 ──> uint8 (sH, sW, 3) ── back

The backend's name says device, precision and form: ``torch``, ``torch:cuda:fp16:graph``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from pocketsr.bench.contender import Asked, LocalContender, noise
from pocketsr.bench.record import Correctness
from pocketsr.bench.sizes import Size
from pocketsr.bench.worker import main
from pocketsr.blocks import Network
from pocketsr.errors import SettingError
from pocketsr.gpu.forms import DTYPES, Ready, find_form, make_ready
from pocketsr.runtime.pixels import Pixels
from pocketsr.spec import ModelSpec
from pocketsr.train import to_image, to_tensor, upscale_with

#: Sides of the image that is compared, and how the processor's float32 is named.
_COMPARED: Size = (32, 48)


def backend_name(device: str, precision: str, form: str) -> str:
    """Return what a way to run is called in tables and records.

    >>> backend_name("cpu", "fp32", "eager"), backend_name("cuda", "fp16", "graph")
    ('torch', 'torch:cuda:fp16:graph')
    """
    if (device, precision, form) == ("cpu", "fp32", "eager"):
        return "torch"
    return f"torch:{device}:{precision}:{form}"


def torch_device(name: str) -> torch.device:
    """Return a device of torch's.

    Raises:
        SettingError: This machine, or this build of torch, has none.
    """
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise SettingError(
            f"there is no {name} here: torch {torch.__version__} finds no NVIDIA device; use --device cpu"
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise SettingError(f"a device is cpu or cuda, not {name!r}") from error


class TorchContender(LocalContender):
    """A network in torch."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        # A device may have a number behind a colon of its own: cuda:1.
        words = asked.backend.removeprefix("torch").removeprefix(":").rsplit(":", 2)
        self._device_name, self._precision, form = words if any(words) else ("cpu", "fp32", "eager")
        self._form = find_form(form)
        if self._precision not in DTYPES:
            raise SettingError(f"a precision is one of {', '.join(DTYPES)}, not {self._precision!r}")
        self._network: nn.Module | None = None
        self._ready: dict[Size, Ready] = {}

    def load(self) -> tuple[float, ModelSpec]:
        """Read the file; the import of torch is not part of the time."""
        began = time.perf_counter()
        device = torch_device(self._device_name)
        torch.set_num_threads(self.asked.threads)
        network, facts = _read(Path(self.asked.model))
        self._network, self._device = network, device
        self._upscale = self._run_on
        channels = int(getattr(network, "channels", 3))
        if channels != 3:
            raise SettingError("a network of luma is timed as a model file; export it first")
        self._spec = ModelSpec(
            name=Path(self.asked.model).stem,
            network=facts["network"],
            scale=int(network.scale),  # type: ignore[arg-type]
            precision="float32",
            receptive_field=None,
            data=facts["data"],
        )
        return 1000 * (time.perf_counter() - began), self._spec

    def prepare(self, size: Size, warm_up: int) -> float:
        """Take a size: compiled and captured forms are made for it in the first frame."""
        self._frame = noise(size, 3)
        first = self.run(1)[0]
        self.run(warm_up)
        return first

    def compare(self) -> Correctness | None:
        """Compare with the same network in eager float32 on the processor."""
        assert self._network is not None, "load comes first"
        assert self._upscale is not None
        image = noise(_COMPARED, 3)
        expected = upscale_with(self._network, image)
        distance = np.abs(self._upscale(image).astype(np.int16) - expected)
        return Correctness(
            height=_COMPARED[0],
            width=_COMPARED[1],
            is_identical=not distance.any(),
            largest_levels=int(distance.max()),
            different=float((distance > 0).mean()),
        )

    def _run_on(self, image: Pixels) -> Pixels:
        size = image.shape[0], image.shape[1]
        if size not in self._ready:
            assert self._network is not None
            shape = (1, 3, *size)
            self._ready = {size: make_ready(
                self._network, self._form, shape, device=self._device, precision=self._precision
            )}  # fmt: skip
        with torch.inference_mode():
            made: Pixels = to_image(self._ready[size](to_tensor(image[None], self._device)))[0]
        return made


def _read(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """Return a folded network and what is known of it."""
    if path.suffix == ".safetensors":
        from pocketsr.networks.saved import load_network

        network, facts = load_network(path)
        return network.folded(), {"network": facts["name"], "data": facts["source"]}
    from pocketsr.train import read_checkpoint, restore

    state = read_checkpoint(path)
    try:
        trained = restore(state, {})
    except SettingError as error:
        raise SettingError(
            f"{path} is of integer arithmetic, which torch is slow in: export it and time that"
        ) from error
    return cast(Network, trained).folded(), {
        "network": state.recipe.network.name,
        "data": state.recipe.data.description,
    }


if __name__ == "__main__":
    main(TorchContender, sys.argv[1])
