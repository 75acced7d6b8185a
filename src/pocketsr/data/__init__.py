"""Training data: folders of images become streams of patch pairs. Numpy only; knows nothing of torch."""

from pocketsr.data.augment import AUGMENTATIONS, make_augmentations
from pocketsr.data.degrade import DEGRADATIONS, check_degradation, degrade, make_degradation
from pocketsr.data.layout import find_layout, has_part
from pocketsr.data.pairs import Fit, Pair, load_pairs, load_scales
from pocketsr.data.patches import PatchBatch, PatchSampler, stream_batches

__all__ = [
    "AUGMENTATIONS",
    "DEGRADATIONS",
    "Fit",
    "Pair",
    "PatchBatch",
    "PatchSampler",
    "check_degradation",
    "degrade",
    "find_layout",
    "has_part",
    "load_pairs",
    "load_scales",
    "make_augmentations",
    "make_degradation",
    "stream_batches",
]
