"""Graph: the language of model files: operators, files, an exact executor. No torch, no images."""

from pocketsr.graph.ops import Add, Concat, Conv2D, DepthToSpace, Graph, Minimum, Op, Quantisation, Relu, Value
from pocketsr.graph.receptive import receptive_field
from pocketsr.graph.reference import execute

__all__ = [
    "Add",
    "Concat",
    "Conv2D",
    "DepthToSpace",
    "Graph",
    "Minimum",
    "Op",
    "Quantisation",
    "Relu",
    "Value",
    "execute",
    "receptive_field",
]
