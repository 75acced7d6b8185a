"""Training: a recipe, a folder of images and time become a checkpoint. Torch; knows nothing of model files."""

from pocketsr.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pocketsr.train.curve import Curve
from pocketsr.train.images import to_image, to_levels, to_tensor, upscale_with
from pocketsr.train.loop import STATE_FILE, Event, Rewrite, restore, train
from pocketsr.train.recipe import Recipe, Stage, load_recipe, recipe_names

__all__ = [
    "STATE_FILE",
    "Checkpoint",
    "Curve",
    "Event",
    "Recipe",
    "Rewrite",
    "Stage",
    "load_recipe",
    "read_checkpoint",
    "recipe_names",
    "restore",
    "to_image",
    "to_levels",
    "to_tensor",
    "train",
    "upscale_with",
    "write_checkpoint",
]
