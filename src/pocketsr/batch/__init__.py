"""Many files: which there are, what their outputs are called, who makes which, and how several are in work at once.

    sources ──> names ──> locks, journal ──> in order, several at once ──> outcomes

Knows no options and prints nothing: that is the command line's. Images are read, enlarged and written by ``runtime``.
"""

from pocketsr.batch.files import Job, Outcome, Policy, Work, do_file, planned
from pocketsr.batch.flow import run_in_order
from pocketsr.batch.journal import Journals
from pocketsr.batch.locks import sweep
from pocketsr.batch.names import Naming, check_inside, target_in
from pocketsr.batch.shared import SharedUpscaler, Stopped
from pocketsr.batch.sizes import bytes_held, image_size, pixels_held
from pocketsr.batch.sources import expand, list_tree

__all__ = [
    "Job",
    "Journals",
    "Naming",
    "Outcome",
    "Policy",
    "SharedUpscaler",
    "Stopped",
    "Work",
    "bytes_held",
    "check_inside",
    "do_file",
    "expand",
    "image_size",
    "list_tree",
    "pixels_held",
    "planned",
    "run_in_order",
    "sweep",
    "target_in",
]
