"""Training data: folders of images become streams of patch pairs. Numpy only; knows nothing of torch."""

from pocketsr.data.pairs import Pair, load_pairs
from pocketsr.data.patches import Augmentation, PatchBatch, PatchSampler, stream_batches

__all__ = ["Augmentation", "Pair", "PatchBatch", "PatchSampler", "load_pairs", "stream_batches"]
