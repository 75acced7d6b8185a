"""Ways to run a network in torch, from plain to captured.

    eager            operators one by one, (N, C, H, W)
    channels-last    the same in (N, H, W, C), which tensor cores read
    compiled         torch.compile: operators joined into kernels made for this size
    graph            one size captured as a CUDA graph: no work of the processor between kernels
    compiled-graph   both

Each is for one network, one size and one precision; knows nothing of files, of images, or of how time is taken.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pocketsr.errors import SettingError, UnknownNameError

#: Calls before a capture, on a stream of its own: libraries choose their kernels at the first ones.
_BEFORE_CAPTURE = 3
#: What numbers may be.
DTYPES: Mapping[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Form:
    """A way to run.

    Attributes:
        name: What the user calls it.
        is_channels_last: Whether numbers of a pixel lie side by side.
        is_compiled: Whether ``torch.compile`` makes it.
        is_captured: Whether a CUDA graph replays it.
    """

    name: str
    is_channels_last: bool = False
    is_compiled: bool = False
    is_captured: bool = False


FORMS: tuple[Form, ...] = (
    Form("eager"),
    Form("channels-last", is_channels_last=True),
    Form("compiled", is_channels_last=True, is_compiled=True),
    Form("graph", is_channels_last=True, is_captured=True),
    Form("compiled-graph", is_channels_last=True, is_compiled=True, is_captured=True),
)


def find_form(name: str) -> Form:
    """Return the form of that name.

    Raises:
        UnknownNameError: There is none.

    >>> find_form("graph").is_captured
    True
    """
    for form in FORMS:
        if form.name == name:
            return form
    raise UnknownNameError.among("form", name, (form.name for form in FORMS))


@dataclasses.dataclass(frozen=True)
class Ready:
    """A network ready for images of one size.

    Attributes:
        image: ``(N, C, H, W)`` that it reads; fill it, in place.
        run: Runs it; returns ``(N, C, sH, sW)``, of a captured one the same memory each time.
    """

    image: Tensor
    run: Callable[[], Tensor]

    def __call__(self, image: Tensor) -> Tensor:
        """Run on an image of the same shape, 0..1, which is copied in."""
        self.image.copy_(image)
        return self.run()


def make_ready(
    network: nn.Module,
    form: Form,
    shape: tuple[int, int, int, int],
    *,
    device: torch.device,
    precision: str = "fp32",
    graphs: Any = None,
) -> Ready:
    """Prepare a network for one size; the network itself is not changed.

    Args:
        network: Folded, in evaluation; ``(N, C, H, W)`` in 0..1 to ``(N, C, sH, sW)``.
        form: How.
        shape: Of the image.
        device: Where.
        precision: ``fp32``, ``fp16`` or ``bf16``, of weights and activations.
        graphs: What has torch's ``CUDAGraph``, ``graph``, ``Stream``, ``stream`` and ``current_stream``, for tests;
            None is ``torch.cuda``.

    Raises:
        SettingError: A CUDA graph was asked for on another device.
        UnknownNameError: There is no such precision.
    """
    if precision not in DTYPES:
        raise UnknownNameError.among("precision", precision, DTYPES)
    if form.is_captured and device.type != "cuda" and graphs is None:
        raise SettingError(f"a CUDA graph needs an NVIDIA device, not {device}; choose another form")
    layout = torch.channels_last if form.is_channels_last else torch.contiguous_format
    own = copy.deepcopy(network).eval().to(device, DTYPES[precision])
    own = own.to(memory_format=layout)  # type: ignore[call-overload] # torch has it, its types do not
    image = torch.rand(shape, device=device).to(DTYPES[precision]).contiguous(memory_format=layout)
    work: Callable[[Tensor], Tensor] = own
    if form.is_compiled:
        work = torch.compile(own, dynamic=False)

    def run() -> Tensor:
        with torch.inference_mode():
            return work(image)

    return Ready(image, _captured(run, graphs or torch.cuda) if form.is_captured else run)


def _captured(run: Callable[[], Tensor], cuda: Any) -> Callable[[], Tensor]:
    """Capture one call; replaying it does the same work on the same memory."""
    stream = cuda.Stream()
    stream.wait_stream(cuda.current_stream())
    with cuda.stream(stream):
        for _ in range(_BEFORE_CAPTURE):
            run()
    cuda.current_stream().wait_stream(stream)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        made = run()

    def replay() -> Tensor:
        graph.replay()
        return made

    return replay
