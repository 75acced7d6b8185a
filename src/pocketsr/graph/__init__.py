"""Graph: the language of model files: operators, files, an exact executor. No torch, no images."""

from pocketsr.graph.base import Graph, Op, Quantisation, Value
from pocketsr.graph.moves import Concat, DepthToSpace, MirrorPad, Slice, SpaceToDepth
from pocketsr.graph.ops import (
    FUNCTION_OUTPUTS,
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
from pocketsr.graph.receptive import receptive_field
from pocketsr.graph.reference import execute
from pocketsr.graph.subpixel import subpixel_convolution

__all__ = [
    "FUNCTION_OUTPUTS",
    "Add",
    "Concat",
    "Conv2D",
    "DepthToSpace",
    "Elementwise",
    "GlobalMean",
    "Graph",
    "LeakyRelu",
    "Minimum",
    "MirrorPad",
    "Multiply",
    "Op",
    "PRelu",
    "Quantisation",
    "Relu",
    "Requantise",
    "Slice",
    "SpaceToDepth",
    "Subtract",
    "Value",
    "execute",
    "receptive_field",
    "subpixel_convolution",
]
