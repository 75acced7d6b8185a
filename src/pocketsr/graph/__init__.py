"""Graph: the language of model files: operators, files, an exact executor. No torch, no images."""

from pocketsr.graph.ops import (
    Add,
    Concat,
    Conv2D,
    DepthToSpace,
    Graph,
    LeakyRelu,
    Minimum,
    Op,
    PRelu,
    Quantisation,
    Relu,
    Slice,
    Value,
)
from pocketsr.graph.receptive import receptive_field
from pocketsr.graph.reference import execute
from pocketsr.graph.subpixel import subpixel_convolution

__all__ = [
    "Add",
    "Concat",
    "Conv2D",
    "DepthToSpace",
    "Graph",
    "LeakyRelu",
    "Minimum",
    "Op",
    "PRelu",
    "Quantisation",
    "Relu",
    "Slice",
    "Value",
    "execute",
    "receptive_field",
    "subpixel_convolution",
]
