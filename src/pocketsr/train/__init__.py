"""Training: a recipe, a folder of images and time become a checkpoint. Torch; knows nothing of model files."""

from pocketsr.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pocketsr.train.curve import Curve
from pocketsr.train.distributed import Processes, join_processes
from pocketsr.train.event import Event
from pocketsr.train.images import to_image, to_levels, to_tensor, upscale_with
from pocketsr.train.loop import Rewrite, check_recipe, check_start, network_for, restore, state_to_resume, train
from pocketsr.train.recipe import Recipe, Stage
from pocketsr.train.recipe_files import load_recipe, readings_of, recipe_from, recipe_names
from pocketsr.train.records import Records
from pocketsr.train.stage_run import STATE_FILE

__all__ = [
    "STATE_FILE",
    "Checkpoint",
    "Curve",
    "Event",
    "Processes",
    "Recipe",
    "Records",
    "Rewrite",
    "Stage",
    "check_recipe",
    "check_start",
    "join_processes",
    "load_recipe",
    "network_for",
    "read_checkpoint",
    "readings_of",
    "recipe_from",
    "recipe_names",
    "restore",
    "state_to_resume",
    "to_image",
    "to_levels",
    "to_tensor",
    "train",
    "upscale_with",
    "write_checkpoint",
]
