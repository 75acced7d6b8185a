"""Lowering: a torch network becomes a float graph, and a graph a model file that has been checked by running it.

Compression comes after: quantising is a rewrite of the graph, so one tracer serves float files, post-training
quantisation and integer training (docs/decisions/0002).
"""

from pocketsr.lower.onnx import write_onnx_checked
from pocketsr.lower.parity import write_checked
from pocketsr.lower.trace import trace

__all__ = ["trace", "write_checked", "write_onnx_checked"]
