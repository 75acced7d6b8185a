"""Pipelines: many steps of the workshop in a row, each with its measured line in one table. Torch."""

from pocketsr.pipeline.ablation import Ablation, Arm, ablation_names, load_ablation, run_ablation
from pocketsr.pipeline.compression import Pipeline, Step, load_pipeline, pipeline_names, run_pipeline
from pocketsr.pipeline.measure import Row, Ruler, to_file
from pocketsr.pipeline.report import write_report
from pocketsr.pipeline.steps import Around

__all__ = [
    "Ablation",
    "Arm",
    "Around",
    "Pipeline",
    "Row",
    "Ruler",
    "Step",
    "ablation_names",
    "load_ablation",
    "load_pipeline",
    "pipeline_names",
    "run_ablation",
    "run_pipeline",
    "to_file",
    "write_report",
]
