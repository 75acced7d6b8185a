"""Pipelines: many steps of the workshop in a row, each with its measured line in one table. Torch."""

from pocketsr.pipeline.ablation import Ablation, Arm, ablation_names, load_ablation, run_ablation
from pocketsr.pipeline.measure import to_file

__all__ = ["Ablation", "Arm", "ablation_names", "load_ablation", "run_ablation", "to_file"]
