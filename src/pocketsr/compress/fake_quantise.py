"""Fake quantisation as Light F2SRGAN has it: real numbers rounded to steps of a range, everything else float.

    n = 2^b − 1,  s = n / (max − min),  q = clamp(round(s·x) − (round(s·min) + 2^(b−1))),  back: (q + z) / s

Weights of convolutions by output channel, from the weights as they are; slopes of PReLU by tensor; activations after
ReLU and PReLU by tensor, over everything seen in training. Biases, sums and Fourier units stay as they are. Gradients
pass unchanged. With 16 bits it is close to doing nothing, and no file computes it: it is kept as the paper's reading,
beside ``integer``, which is what a file computes.

Source:
    Light F2SRGAN (2023), equations 1 to 4, and QAT/quantize.py of its code.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from pocketsr.blocks import Network
from pocketsr.errors import SettingError

#: Side of the image that counts the places of ReLU; every network takes it.
_SIDE = 16


class FakeQuantised(Network):
    """A network with rounded weights and activations, that can be trained.

    Every PReLU has a range, and every place where a ReLU is computed, be it a module or a function. Leaky ReLU and
    other activations are left alone, as in the authors' code.

    Args:
        network: Any network; it is folded and copied.
        bits: 2 to 16.
    """

    def __init__(self, network: Network, *, bits: int = 16) -> None:
        super().__init__()
        if not 2 <= bits <= 16:
            raise SettingError(f"fake quantisation takes 2 to 16 bits, not {bits}")
        self.scale, self.channels = network.scale, network.channels
        self.inside = copy.deepcopy(network.folded())
        for module in list(self.inside.modules()):
            if isinstance(module, nn.Conv2d | nn.PReLU):
                parametrize.register_parametrization(
                    module, "weight", _Rounded(bits, by_row=isinstance(module, nn.Conv2d))
                )
        for module in list(self.inside.modules()):
            if isinstance(module, nn.PReLU):
                _Tracked(bits).attach(module)
        #: Ranges after ReLU, in the order of its calls.
        self.after_relu = nn.ModuleList(_Tracked(bits) for _ in range(self._relu_calls()))

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``(N, C, H, W)`` in 0..1."""
        with _AfterRelu(self.after_relu):
            output: Tensor = self.inside(image)
        return output

    @torch.no_grad()
    def _relu_calls(self) -> int:
        was_training = self.inside.training
        counter = _Counter()
        weight = next(self.inside.parameters(), torch.empty(()))
        with _AfterRelu(counter):
            self.inside.eval()(weight.new_zeros(1, self.channels, _SIDE, _SIDE))
        self.inside.train(was_training)
        return counter.count


def rounded_to_range(x: Tensor, low: Tensor, high: Tensor, bits: int) -> Tensor:
    """Round to the 2^bits − 1 steps between ``low`` and ``high``; the gradient passes as if nothing had happened."""
    steps = 2**bits - 1
    scale = steps / (high - low).clamp_min(1e-8)
    zero = torch.round(scale * low) + 2 ** (bits - 1)
    levels = torch.clamp(torch.round(scale * x) - zero, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    made: Tensor = x + ((levels + zero) / scale - x).detach()
    return made


class _Rounded(nn.Module):
    """Weights as they round."""

    def __init__(self, bits: int, *, by_row: bool) -> None:
        super().__init__()
        self._bits, self._by_row = bits, by_row

    def forward(self, weight: Tensor) -> Tensor:
        rows = weight.detach().flatten(1) if self._by_row else weight.detach().reshape(1, -1)
        shape = (-1, *[1] * (weight.ndim - 1)) if self._by_row else (1,) * weight.ndim
        return rounded_to_range(weight, rows.amin(1).reshape(shape), rows.amax(1).reshape(shape), self._bits)


class _Tracked(nn.Module):
    """Activations as they round, within the range of all that was seen in training; it begins at 0 and only grows."""

    low: Tensor
    high: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def attach(self, module: nn.Module) -> None:
        module.add_module("range", self)
        module.register_forward_hook(lambda _module, _inputs, output: self(output))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                torch.minimum(self.low, x.amin().to(self.low), out=self.low)
                torch.maximum(self.high, x.amax().to(self.high), out=self.high)
        return x if self.low == self.high else rounded_to_range(x, self.low, self.high, self._bits)


class _AfterRelu(TorchFunctionMode):
    """While it is on, each call of ReLU is followed by the next of some functions.

    Networks write ReLU as a function, which no hook on modules sees.
    """

    def __init__(self, ranges: Iterable[Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        self._ranges = iter(ranges)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        return next(self._ranges)(made) if func in (F.relu, torch.relu, Tensor.relu) else made


class _Counter:
    """Functions that change nothing, without end; says how many were taken."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> _Counter:
        return self

    def __next__(self) -> Callable[[Tensor], Tensor]:
        self.count += 1
        return lambda x: x
