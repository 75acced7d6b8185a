"""All perceptual measures in one list."""

from __future__ import annotations

import functools
from typing import Any

from pocketsr.errors import UnknownNameError
from pocketsr.evaluate.perceptual.dists import dists, read_dists
from pocketsr.evaluate.perceptual.lpips import lpips, read_lpips
from pocketsr.evaluate.perceptual.measure import Files, Measure, Subject, read_once
from pocketsr.evaluate.perceptual.ms_ssim import ms_ssim
from pocketsr.evaluate.perceptual.needed_files import NeededFile
from pocketsr.evaluate.perceptual.nima import nima, read_nima
from pocketsr.evaluate.perceptual.niqe import niqe
from pocketsr.evaluate.perceptual.niqe_model import read_niqe_model
from pocketsr.evaluate.perceptual.perceptual_index import find_ma, perceptual_index, read_ma_table
from pocketsr.image import rgb_to_y

_niqe_model = read_once(read_niqe_model)
_lpips_model = read_once(read_lpips)
_dists_model = read_once(read_dists)
_nima_model = read_once(read_nima)
_ma_table = read_once(read_ma_table)


def _compute_ms_ssim(subject: Subject, _: Files) -> float:
    return ms_ssim(rgb_to_y(subject.image), rgb_to_y(subject.truth))


def _compute_niqe(subject: Subject, files: Files) -> float:
    return niqe(subject.image, _niqe_model(files["model"]))


def _compute_lpips(network: str, subject: Subject, files: Files) -> float:
    return lpips(subject.image, subject.truth, _lpips_model(network, files["weights"], files["heads"]))


def _compute_dists(subject: Subject, files: Files) -> float:
    return dists(subject.image, subject.truth, _dists_model(files["weights"], files["heads"]))


def _compute_nima(subject: Subject, files: Files) -> float:
    return nima(subject.image, _nima_model(files["weights"]))


def _look_up_ma(subject: Subject, files: Files) -> float:
    return find_ma(_ma_table(files["table"]), subject.name)


def _compute_perceptual_index(subject: Subject, files: Files) -> float:
    return perceptual_index(_compute_niqe(subject, files), _look_up_ma(subject, files))


_NIQE_MODEL = NeededFile(
    "model",
    ("niqe_pris_params.npz", "modelparameters.mat", "niqe_model.npz"),
    "the published model of pristine photographs, or your own by fit_niqe",
)
_MA_TABLE = NeededFile(
    "table",
    ("ma_scores.csv",),
    "lines of 'file name,score' from the authors' MATLAB code, whose random forests exist as MATLAB objects only and "
    "cannot run here",
)
_VGG16_WEIGHTS = NeededFile(
    "weights",
    ("vgg16.safetensors", "vgg16.npz", "vgg16.pth", "vgg16-397923af.pth"),
    "torchvision's vgg16",
)


def _heads(network: str) -> NeededFile:
    return NeededFile("heads", (f"v0.1__{network}.pth",), f"LPIPS 0.1's linear heads: lpips/weights/v0.1/{network}.pth")


_LPIPS: dict[str, Any] = {
    "unit": "distance",
    "is_higher_better": False,
    "lowest": 0.0,
    "highest": None,
    "needs_truth": True,
    "source": "Zhang et al. 2018, version 0.1",
}

MEASURES: tuple[Measure, ...] = (
    Measure(
        name="ms-ssim",
        unit="similarity",
        is_higher_better=True,
        lowest=0.0,
        highest=1.0,
        needs_truth=True,
        source="Wang, Simoncelli and Bovik 2003, five scales, Gaussian 11×11, on studio-range Y",
        agreement="1e-10 with the paper's steps written with SciPy",
        compute=_compute_ms_ssim,
    ),
    Measure(
        name="lpips-squeeze",
        **_LPIPS,
        agreement="1e-4 of its value with lpips 0.1.4, published weights (from 16-bit floats)",
        files=(
            NeededFile(
                "weights",
                (
                    *("squeezenet1_1.safetensors", "squeezenet1_1.npz", "squeezenet1_1.pth"),
                    *("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1_fp16src.npz"),
                ),
                "torchvision's squeezenet1_1",
            ),
            _heads("squeeze"),
        ),
        compute=functools.partial(_compute_lpips, "squeeze"),
    ),
    Measure(
        name="lpips-alex",
        **_LPIPS,
        agreement="1e-4 of its value with lpips 0.1.4, AlexNet at random: its own weights were not at hand",
        files=(
            NeededFile(
                "weights",
                (
                    *("alexnet.safetensors", "alexnet.npz", "alexnet.pth"),
                    *("alexnet-owt-7be5be79.pth", "alexnet-owt-4df8aa71.pth"),
                ),
                "torchvision's alexnet",
            ),
            _heads("alex"),
        ),
        compute=functools.partial(_compute_lpips, "alex"),
    ),
    Measure(
        name="lpips-vgg",
        **_LPIPS,
        agreement="1e-4 of its value with lpips 0.1.4, VGG-16 at random: its own weights were not at hand",
        files=(_VGG16_WEIGHTS, _heads("vgg")),
        compute=functools.partial(_compute_lpips, "vgg"),
    ),
    Measure(
        name="dists",
        unit="distance",
        is_higher_better=False,
        lowest=0.0,
        highest=None,
        needs_truth=True,
        source="Ding et al. 2020",
        agreement="1e-4 with DISTS-pytorch 0.1, VGG-16 at random: its own weights were not at hand",
        files=(_VGG16_WEIGHTS, NeededFile("heads", ("dists_weights.pt",), "the authors' DISTS_pytorch/weights.pt")),
        compute=_compute_dists,
    ),
    Measure(
        name="niqe",
        unit="distance",
        is_higher_better=False,
        lowest=0.0,
        highest=None,
        needs_truth=False,
        source="Mittal, Soundararajan and Bovik 2013, blocks of 96×96 of MATLAB's uint8 Y",
        agreement="1e-6 of its value with the authors' steps written with SciPy, 2 % where much is flat",
        files=(_NIQE_MODEL,),
        compute=_compute_niqe,
    ),
    Measure(
        name="nima",
        unit="votes of 1 to 10",
        is_higher_better=True,
        lowest=1.0,
        highest=10.0,
        needs_truth=False,
        source="Talebi and Milanfar 2018, MobileNet",
        agreement="1e-4 with torch, random weights: no published ones were at hand",
        files=(
            NeededFile(
                "weights",
                ("nima_mobilenet.npz", "nima_mobilenet.safetensors"),
                "MobileNet with ten votes, by Keras' names; docs/reference/metrics.md says how to make it from .h5",
            ),
        ),
        compute=_compute_nima,
    ),
    Measure(
        name="ma",
        unit="score of 0 to 10",
        is_higher_better=True,
        lowest=0.0,
        highest=10.0,
        needs_truth=False,
        source="Ma et al. 2017",
        agreement="looked up, not computed",
        files=(_MA_TABLE,),
        compute=_look_up_ma,
    ),
    Measure(
        name="pi",
        unit="index",
        is_higher_better=False,
        lowest=0.0,
        highest=None,
        needs_truth=False,
        source="Blau et al. 2018 (PIRM): ½·((10 − Ma) + NIQE)",
        agreement="0.002 with PCARN's printed tables from their printed parts",
        files=(_NIQE_MODEL, _MA_TABLE),
        compute=_compute_perceptual_index,
    ),
)


def find_measure(name: str) -> Measure:
    """Return the measure of that name.

    Raises:
        UnknownNameError: There is none.

    >>> find_measure("niqe").is_higher_better
    False
    """
    for measure in MEASURES:
        if measure.name == name:
            return measure
    raise UnknownNameError.among("measure", name, (measure.name for measure in MEASURES))
