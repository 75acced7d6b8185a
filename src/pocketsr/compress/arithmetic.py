"""What each operator of an int8 file computes, in torch, with gradients.

Numbers are q − z, whole numbers held in float32 as ``(N, C, H, W)``. Every function rounds where XNNPACK rounds and as
it rounds, or, of 16 bits, as TensorFlow Lite's own kernels; gradients pass each rounding as if it were not there
(straight-through). Knows nothing of scales' owners.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pocketsr.graph import Conv2D, Elementwise, LeakyRelu, MirrorPad
from pocketsr.graph.fixed_point import reduced

#: Sums must stay below this to be exact in float32.
_EXACT = 1 << 24
#: The largest magnitude of q − z.
_LARGEST = 255
#: Steps of a value of 16 bits in one step of the same value in 8.
FRACTION = 128


def rounded(x: Tensor) -> Tensor:
    """Round half to even; the gradient passes as if nothing had happened."""
    made: Tensor = _Rounded.apply(x)  # type: ignore[no-untyped-call]
    return made


def requantised(sums: Tensor, multiplier: Tensor, low: int, high: int) -> Tensor:
    """Multiply, round half to even and clamp.

    The same as ``torch.clamp(rounded(sums * multiplier), low, high)`` in fewer passes over memory, which is what
    integer training spends most of its time on.

    Args:
        sums: ``(N, C, H, W)``.
        multiplier: ``(C,)``.
        low: Lowest q − z.
        high: Highest q − z.
    """
    made: Tensor = _Requantised.apply(sums, multiplier[:, None, None], low, high)  # type: ignore[no-untyped-call]
    return made


def convolved(op: Conv2D, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve whole numbers; sums that could pass 2²⁴ are taken in parts and rounded to float32 once, as XNNPACK.

    What a sum can reach is looked up in the weights as they are: even 64 channels of 3×3 hardly ever come near, though
    the largest weights everywhere would.

    Args:
        op: Says padding and groups.
        image: q − z.
        weight: ``(O, I / groups, kh, kw)``, whole numbers within ±127.
        bias: ``(O,)``, whole numbers.
    """
    padding = (op.weight.shape[1] // 2, op.weight.shape[2] // 2) if op.padding == "same" else (0, 0)
    parts = _exact_parts(op)
    if parts == 1 or _reach(weight, bias) < _EXACT:
        return F.conv2d(image, weight, bias, padding=padding, groups=op.groups)
    width = image.shape[1] // op.groups
    total: Tensor | None = None
    for part in range(parts):
        inside = slice(part * width // parts, (part + 1) * width // parts)
        taken = image.reshape(len(image), op.groups, width, *image.shape[2:])[:, :, inside].flatten(1, 2)
        sums = F.conv2d(taken, weight[:, inside], padding=padding, groups=op.groups).double()
        total = sums if total is None else total + sums
    assert total is not None
    return (total + bias.double()[:, None, None]).float()


def convolved_wide(
    op: Conv2D, image: Tensor, weight: Tensor, bias: Tensor, scales: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Convolve whole numbers of 16 bits and bring the sums to steps of the output.

    The upper and the lower byte are convolved on their own, each exactly in float32.

    Args:
        op: Says padding and groups.
        image: q, within −32768..32767.
        weight: ``(O, I / groups, kh, kw)``, whole numbers within ±127.
        bias: ``(O,)``, whole numbers.
        scales: Of the input, of the weights ``(O,)``, and of the output.
    """
    source, of_weight, made = scales
    padding = (op.weight.shape[1] // 2, op.weight.shape[2] // 2) if op.padding == "same" else (0, 0)
    multiplier = (source * of_weight / made)[:, None, None]
    # What gradients see: the same, not rounded.
    smooth = F.conv2d(image, weight, bias, padding=padding, groups=op.groups) * multiplier
    with torch.no_grad():
        nothing = torch.zeros_like(bias)
        upper = torch.floor(image / 256)
        sums = convolved(op, upper, weight, nothing).double() * 256
        sums += convolved(op, image - upper * 256, weight, nothing).double() + bias.double()[:, None, None]
        factors = source.double() * of_weight.double() / made.double()
        short, right = (torch.from_numpy(part).to(sums)[:, None, None] for part in reduced(factors.cpu().numpy()))
        # Sums have at most 33 bits and multipliers 15: float64 is exact.
        exact = torch.floor((sums * short + 2 ** (right - 1)) / 2**right).float()
    return exact + (smooth - smooth.detach())


def narrowed(x: Tensor) -> Tensor:
    """Return values of 16 bits in steps of 8 bits, rounded as TensorFlow Lite does: to halves first, halves up."""
    halves = torch.floor(x / 2 + 0.5)
    steps = torch.sign(halves) * torch.floor(halves.abs() / (FRACTION / 2) + 0.5)
    real = x / FRACTION
    return real + (steps - real).detach()


def restepped(x: Tensor, ratio: Tensor) -> Tensor:
    """Return values of 8 bits in other steps of 8 bits: times a whole number of 256ths, halves up, as XNNPACK does.

    Args:
        x: q − z.
        ratio: Step of x over the step that is wanted, a scalar.
    """
    made: Tensor = _Restepped.apply(x, ratio)  # type: ignore[no-untyped-call]
    return made


def added(first: Tensor, second: Tensor, ratios: tuple[Tensor, Tensor]) -> Tensor:
    """Add values of different steps: each times a whole number of 2^-shift, the larger of which has 21 bits; halves up.

    Args:
        first: q − z.
        second: q − z.
        ratios: Step of each over that of the sum, scalars.
    """
    made: Tensor = _Added.apply(first, second, *ratios)  # type: ignore[no-untyped-call]
    return made


def leaky(op: LeakyRelu, x: Tensor) -> Tensor:
    """Multiply what is negative by a whole number of 256ths, halves rounded up."""
    slope = op.factor() / 256  # exact, and so is the product
    below = x * slope
    return torch.where(x > 0, x, below + (torch.floor(below + 0.5) - below).detach())


def looked_up(op: Elementwise, x: Tensor, scale: Tensor, step: float) -> Tensor:
    """Return what a table of 256 entries holds: the function of the real number, in whole steps.

    Args:
        op: Says which function: ``tanh`` or ``logistic``.
        x: q − z.
        scale: Of x, a scalar.
        step: Scale of the output.
    """
    real = x * scale
    return rounded((torch.tanh(real) if op.function == "tanh" else torch.sigmoid(real)) / step)


def depth_to_space(x: Tensor, block: int) -> Tensor:
    """Pixel shuffle with channels in TensorFlow's order."""
    count, channels, height, width = x.shape
    colours = channels // block**2
    blocks = x.reshape(count, block, block, colours, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(count, colours, height * block, width * block)


def space_to_depth(x: Tensor, block: int) -> Tensor:
    """Pixel unshuffle with channels in TensorFlow's order."""
    count, colours, height, width = x.shape
    blocks = x.reshape(count, colours, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(count, colours * block**2, height // block, width // block)


def mirrored(op: MirrorPad, x: Tensor) -> Tensor:
    """Continue an image by its mirror image on all four sides."""
    mode: Literal["symmetric", "reflect"] = op.mirror
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(length), op.amount, mode=mode)).to(x.device) for length in x.shape[-2:]
    )
    return x[:, :, rows][:, :, :, columns]


@torch.no_grad()
def _reach(weight: Tensor, bias: Tensor) -> float:
    """Return what no sum of these weights, in whatever order, can pass: q − z is within ±255."""
    return float((weight.abs().sum(dim=(1, 2, 3)) * _LARGEST + bias.abs()).amax())


def _exact_parts(op: Conv2D) -> int:
    """Return into how many parts the inputs of a convolution are cut so that float32 holds each part's sums exactly."""
    _, height, width, inputs = op.weight.shape
    exact_inputs = max(1, (_EXACT - 1) // int(height * width * 127 * _LARGEST))
    return -(-int(inputs) // exact_inputs)


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class _Requantised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, multiplier: Tensor, low: int, high: int) -> Tensor:
        steps = (sums * multiplier).round_()
        made = steps.clamp(low, high)
        # What was cut off has no gradient.
        ctx.save_for_backward(sums, multiplier, made == steps)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        sums, multiplier, is_inside = ctx.saved_tensors
        gradient = gradients[0] * is_inside
        of_sums = gradient * multiplier if ctx.needs_input_grad[0] else None
        of_multiplier = (gradient * sums).sum_to_size(multiplier.shape) if ctx.needs_input_grad[1] else None
        return of_sums, of_multiplier, None, None


class _Restepped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ratio: Tensor) -> Tensor:
        ctx.save_for_backward(x, ratio)
        parts = torch.round(256 * ratio)
        return (x * parts).add_(128).mul_(1 / 256).floor_()  # below 2²⁴: float32 holds it

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, ratio = ctx.saved_tensors
        return gradients[0] * ratio, (gradients[0] * x).sum()


class _Added(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, of_first: Tensor, of_second: Tensor) -> Tensor:
        ctx.save_for_backward(first, second, of_first, of_second)
        ratios = [float(of_first), float(of_second)]
        shift = 20 - (math.frexp(max(ratios))[1] - 1)
        weights = [round(math.ldexp(ratio, shift)) for ratio in ratios]
        whole = torch.int32 if shift < 31 else torch.int64  # 2²¹ · 255, twice, is below 2³¹
        total = first.to(whole).mul_(weights[0]).add_(second.to(whole).mul_(weights[1])).add_(1 << (shift - 1))
        return total.bitwise_right_shift_(shift).float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        first, second, *ratios = ctx.saved_tensors
        gradient = gradients[0]
        return gradient * ratios[0], gradient * ratios[1], (gradient * first).sum(), (gradient * second).sum()
