"""Weights: the models that come with pocketsr and the catalogue that names them."""

from pocketsr.weights.catalogue import DEFAULT_MODEL, Entry, entries, find, find_float, find_scale, find_scales

__all__ = ["DEFAULT_MODEL", "Entry", "entries", "find", "find_float", "find_scale", "find_scales"]
