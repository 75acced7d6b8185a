"""Training: a recipe, a folder of images and time become a checkpoint. Torch; knows nothing of model files."""

from pocketsr.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pocketsr.train.loop import Event, Rewrite, train
from pocketsr.train.recipe import Recipe, Stage, load_recipe, recipe_names

__all__ = [
    "Checkpoint",
    "Event",
    "Recipe",
    "Rewrite",
    "Stage",
    "load_recipe",
    "read_checkpoint",
    "recipe_names",
    "train",
    "write_checkpoint",
]
