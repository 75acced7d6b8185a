"""Tracing convolutions: plain, grouped, transposed, with zeros or a mirror around the image, and fixed kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, fx, nn

from pocketsr.blocks import BicubicUpsample
from pocketsr.errors import LoweringError
from pocketsr.graph import DepthToSpace, MirrorPad, subpixel_convolution
from pocketsr.graph.base import Array
from pocketsr.graph.ops import Padding
from pocketsr.lower.tracer import Signal, Tracer, argument


def convolution(tracer: Tracer, node: fx.Node, conv: nn.Conv2d) -> Signal:
    """Emit a convolution, with a mirror before it where the module pads by reflection."""
    height, width = conv.kernel_size
    if conv.stride != (1, 1) or conv.dilation != (1, 1):
        raise LoweringError(f"{node.target}: only convolutions of stride 1 can be lowered")
    source = tracer.source(node)
    kept = (height // 2, width // 2)
    padding: Padding = "same"
    if conv.padding_mode == "reflect" and conv.padding == kept and height == width:
        channels = source.value.channels
        source = tracer.emit(MirrorPad, (source,), f"{node.name}_mirrored", channels, kept[0], "reflect")
        padding = "valid"
    elif conv.padding_mode != "zeros":
        raise LoweringError(f"{node.target}: padding mode {conv.padding_mode!r} cannot be lowered")
    elif conv.padding in ((0, 0), "valid") and kept != (0, 0):
        padding = "valid"
    elif conv.padding not in (kept, "same"):
        raise LoweringError(f"{node.target}: padding {conv.padding} does not keep the size of the image")
    weight = _double(conv.weight).transpose(0, 2, 3, 1)
    bias = np.zeros(conv.out_channels) if conv.bias is None else _double(conv.bias)
    if node in tracer.orders:
        order = tracer.orders[node].channels(conv.out_channels)
        weight, bias = weight[order], bias[order]
    return tracer.convolve(node.name, source, weight, bias, groups=conv.groups, padding=padding)


def transposed(tracer: Tracer, node: fx.Node, conv: nn.ConvTranspose2d) -> Signal:
    """Emit a transposed convolution as an ordinary one and depth-to-space."""
    stride, padding = conv.stride[0], int(conv.padding[0])
    square = len({*conv.kernel_size}) == len({*conv.stride}) == len({*conv.padding}) == 1
    enlarges = conv.output_padding[0] == stride + 2 * padding - conv.kernel_size[0]
    if not square or not enlarges or conv.groups != 1 or conv.dilation != (1, 1):
        raise LoweringError(
            f"{node.target}: a transposed convolution needs a square kernel, one group, and an output of exactly "
            f"{stride} times the input (output_padding = stride + 2 · padding − kernel)"
        )
    bias = np.zeros(conv.out_channels) if conv.bias is None else _double(conv.bias)
    weight, bias = subpixel_convolution(
        _double(conv.weight).transpose(1, 2, 3, 0), bias, stride=stride, padding=padding
    )
    subpixels = tracer.convolve(f"{node.name}_subpixels", tracer.source(node), weight, bias)
    return tracer.emit(DepthToSpace, (subpixels,), node.name, conv.out_channels, stride)


def bicubic(tracer: Tracer, node: fx.Node, upsample: BicubicUpsample) -> Signal:
    """Emit bicubic enlarging."""
    return _enlarged(tracer, node, _double(upsample.kernel))


def interpolate(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit nearest-neighbour or bilinear enlarging by a whole factor."""
    factor = argument(node, 2, "scale_factor")
    method = argument(node, 3, "mode", "nearest")
    corners = argument(node, 4, "align_corners")
    if not isinstance(factor, int | float) or factor != int(factor) or method not in ("nearest", "bilinear") or corners:
        raise LoweringError(
            f"{node.name}: only nearest-neighbour and bilinear enlarging by a whole factor can be lowered, "
            "the latter without aligned corners"
        )
    scale = int(factor)
    if method == "bilinear":
        return _enlarged(tracer, node, _bilinear_kernel(scale))
    source = tracer.source(node)
    width = source.value.channels
    copies = tracer.pick(f"{node.name}_copies", source, np.tile(np.arange(width), scale**2))
    return tracer.emit(DepthToSpace, (copies,), node.name, width, scale)


def pad(tracer: Tracer, node: fx.Node) -> Signal:
    """Emit reflection of the same width on all four sides."""
    amounts, mode = argument(node, 1, "pad"), argument(node, 2, "mode", "constant")
    if mode != "reflect" or len(amounts) != 4 or len(set(amounts)) != 1:
        raise LoweringError(f"{node.name}: only reflection of the same width on all four sides can be lowered")
    source = tracer.source(node)
    return tracer.emit(MirrorPad, (source,), node.name, source.value.channels, amounts[0], "reflect")


def _enlarged(tracer: Tracer, node: fx.Node, kernel: Array) -> Signal:
    """Enlarge by fixed phases ``(s², k, k)``, each channel by itself; the border pixel is repeated around the image."""
    source = tracer.source(node)
    width, (phases, size, _) = source.value.channels, kernel.shape
    mirrored = tracer.emit(MirrorPad, (source,), f"{node.name}_mirrored", width, size // 2, "symmetric")
    weight = np.einsum("pyx,oc->poyxc", kernel, np.eye(width)).reshape(phases * width, size, size, width)
    subpixels = tracer.convolve(f"{node.name}_subpixels", mirrored, weight, padding="valid")
    return tracer.emit(DepthToSpace, (subpixels,), node.name, width, int(phases**0.5))


def _bilinear_kernel(scale: int) -> Array:
    """Return the phases of bilinear enlarging, ``(s², 3, 3)``."""
    offset = (np.arange(scale) + 0.5) / scale - 0.5
    row = np.stack([np.maximum(0, -offset), 1 - np.abs(offset), np.maximum(0, offset)], axis=1)  # (s, 3)
    return np.asarray(np.einsum("ay,bx->abyx", row, row).reshape(scale**2, 3, 3))


def _double(tensor: Any) -> Array:
    assert isinstance(tensor, Tensor)
    return np.asarray(tensor.detach().double().numpy())
