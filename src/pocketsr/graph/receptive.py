"""The receptive field of a graph: how far around itself an output pixel looks, from the graph alone.

Tiles that overlap by this much join without a seam, so the number must never be too small.
"""

from __future__ import annotations

import math
from fractions import Fraction

from pocketsr.errors import ModelFileError
from pocketsr.graph.base import Graph
from pocketsr.graph.moves import Concat, DepthToSpace, MirrorPad, Slice, SpaceToDepth
from pocketsr.graph.ops import (
    Add,
    Conv2D,
    Elementwise,
    GlobalMean,
    LeakyRelu,
    Minimum,
    Multiply,
    PRelu,
    Relu,
    Requantise,
    Subtract,
)

#: Operators that look at their own pixel only. An operator that is not known here has no receptive field until someone
#: thinks about it. A mirrored pixel lies nearer than the place it is put, so padding adds nothing to the convolution
#: that looks at it.
_POINTWISE = (
    Add,
    Concat,
    Elementwise,
    LeakyRelu,
    Minimum,
    MirrorPad,
    Multiply,
    PRelu,
    Relu,
    Requantise,
    Slice,
    Subtract,
)


def receptive_field(graph: Graph) -> int | None:
    """Return the low-resolution pixels that an output pixel depends on beyond its own, on the widest side.

    A convolution of width k after the pixels were enlarged f times reaches (k − 1) / 2f; fractions are rounded up at
    the end. Seven 3×3 convolutions in a row before depth-to-space give 7. None means the whole image.

    Raises:
        ModelFileError: An operator's reach is not known.

    >>> import numpy as np
    >>> from pocketsr.graph.base import Value
    >>> image, output = Value("image", 1), Value("output", 1)
    >>> convolution = Conv2D((image,), output, np.ones((1, 5, 5, 1), np.float32), np.zeros(1, np.float32))
    >>> receptive_field(Graph(image, output, (convolution,)))
    2
    """
    reach = {graph.input.name: Fraction(0)}
    enlarged = {graph.input.name: Fraction(1)}
    for op in graph.ops:
        factor = max(enlarged[value.name] for value in op.inputs)
        widest = max(reach[value.name] for value in op.inputs)
        if isinstance(op, GlobalMean):
            return None
        if isinstance(op, Conv2D):
            widest += (max(op.weight.shape[1:3]) // 2) / factor
        elif isinstance(op, DepthToSpace):
            factor *= op.block
        elif isinstance(op, SpaceToDepth):
            widest += (op.block - 1) / factor
            factor /= op.block
        elif not isinstance(op, _POINTWISE):
            raise ModelFileError(f"it is not known how far {type(op).__name__} looks around itself")
        reach[op.output.name], enlarged[op.output.name] = widest, factor
    return math.ceil(reach[graph.output.name])
