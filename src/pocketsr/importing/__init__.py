"""Importing: public checkpoints of others become networks of ours. Torch; knows nothing of training.

A file is read without running any code in it, recognised by its keys and shapes, and renamed. Each public source is a
row of the list in ``sources``.
"""

from pocketsr.importing.checkpoint import Imported, import_checkpoint
from pocketsr.importing.sources import SOURCES

__all__ = ["SOURCES", "Imported", "import_checkpoint"]
