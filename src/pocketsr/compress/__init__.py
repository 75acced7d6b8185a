"""Compression: networks made smaller and cheaper, with the loss measured. Torch."""

from pocketsr.compress.integer import IntegerNetwork, quantise

__all__ = ["IntegerNetwork", "quantise"]
