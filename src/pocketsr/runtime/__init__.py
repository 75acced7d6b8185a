"""Runtime: model files at work on images of any size. No torch; what runs them is imported when a model is opened."""

from pocketsr.runtime.backend import Backend, Session
from pocketsr.runtime.backends import BACKENDS, find_backend
from pocketsr.runtime.chosen import open_models
from pocketsr.runtime.target import Target
from pocketsr.runtime.upscaler import Progress, Upscaler, model_path

__all__ = [
    "BACKENDS",
    "Backend",
    "Progress",
    "Session",
    "Target",
    "Upscaler",
    "find_backend",
    "model_path",
    "open_models",
]
