"""Perceptual measures: what images look like, beyond how far their pixels are off. Numpy only.

Figures are functions of arrays (:func:`ms_ssim`, :func:`niqe`, :func:`lpips`, …); weights that are not ours to ship are
read from the user's files; :data:`MEASURES` lists all, with what each needs and why it cannot run where it cannot.
"""

from pocketsr.evaluate.perceptual.dists import DistsModel, dists, read_dists
from pocketsr.evaluate.perceptual.lpips import LpipsModel, lpips, read_lpips
from pocketsr.evaluate.perceptual.measure import Measure, Subject
from pocketsr.evaluate.perceptual.measures import MEASURES, find_measure
from pocketsr.evaluate.perceptual.ms_ssim import ms_ssim
from pocketsr.evaluate.perceptual.needed_files import METRICS_VARIABLE, NeededFile, find_file, metric_folders
from pocketsr.evaluate.perceptual.nima import NimaModel, nima, read_nima
from pocketsr.evaluate.perceptual.niqe import NiqeModel, niqe
from pocketsr.evaluate.perceptual.niqe_model import fit_niqe, read_niqe_model, save_niqe_model
from pocketsr.evaluate.perceptual.perceptual_index import perceptual_index, read_ma_table
from pocketsr.evaluate.perceptual.weight_files import read_weights

__all__ = [
    "MEASURES",
    "METRICS_VARIABLE",
    "DistsModel",
    "LpipsModel",
    "Measure",
    "NeededFile",
    "NimaModel",
    "NiqeModel",
    "Subject",
    "dists",
    "find_file",
    "find_measure",
    "fit_niqe",
    "lpips",
    "metric_folders",
    "ms_ssim",
    "nima",
    "niqe",
    "perceptual_index",
    "read_dists",
    "read_lpips",
    "read_ma_table",
    "read_nima",
    "read_niqe_model",
    "read_weights",
    "save_niqe_model",
]
