"""Training data: folders of images become streams of patch pairs. Numpy only; knows nothing of torch."""

from pocketsr.data.augment import AUGMENTATIONS, make_augmentations
from pocketsr.data.pairs import Fit, Pair, load_pairs, load_scales
from pocketsr.data.patches import PatchBatch, PatchSampler, stream_batches

__all__ = [
    "AUGMENTATIONS",
    "Fit",
    "Pair",
    "PatchBatch",
    "PatchSampler",
    "load_pairs",
    "load_scales",
    "make_augmentations",
    "stream_batches",
]
