"""Models of good photographs for NIQE: read, fitted, written.

The published one comes from 125 photographs. Values by two models are not comparable: say which one was used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.errors import DataError, ModelFileError, SettingError
from pocketsr.evaluate.perceptual.matlab_file import read_matlab_file
from pocketsr.evaluate.perceptual.niqe import BLOCK, FIGURES, NiqeModel, figures, luma, normalised, statistics
from pocketsr.evaluate.perceptual.weight_files import read_weights

#: Names of mean and covariance: of the ports' ``.npz`` files, which ours are like, and of the authors' ``.mat``.
_NAMES = (("mu_pris_param", "cov_pris_param"), ("mu_prisparam", "cov_prisparam"))

#: Blocks count as sharp from this part of the image's sharpest on.
_SHARP = 0.75


def fit_niqe(images: Iterable[npt.NDArray[Any]], *, source: str = "") -> NiqeModel:
    """Fit a model to good photographs.

    Args:
        images: uint8 ``(H, W, 3)`` RGB or ``(H, W)`` in 0..255, each at least 96×192 pixels; taken one at a time. The
            authors took 125 photographs; fewer than some hundred sharp blocks in all make a model of these images
            rather than of photographs.
        source: Where they come from, in words.

    Raises:
        DataError: There are fewer than 37 sharp blocks with texture in all: their covariance would say nothing about
            some of the 36 figures.
        SettingError: An image is too small or of another shape.

    Source:
        Mittal et al. (2013), §II-C: of each image only the blocks whose mean local deviation exceeds 0.75 of the
        largest, since blurred parts of good photographs are no example of sharpness.
    """
    rows = []
    for image in images:
        x = luma(image)
        every = figures(x)
        deviation = normalised(x[: x.shape[0] // BLOCK * BLOCK, : x.shape[1] // BLOCK * BLOCK])[1]
        shape = (deviation.shape[0] // BLOCK, BLOCK, deviation.shape[1] // BLOCK, BLOCK)
        sharpness = deviation.reshape(shape).mean(axis=(1, 3)).ravel()
        rows.append(every[sharpness > _SHARP * sharpness.max()])
    kept = np.concatenate(rows) if rows else np.empty((0, FIGURES))
    usable = int(np.isfinite(kept).all(axis=1).sum())
    if usable <= FIGURES:
        raise DataError(
            f"a NIQE model needs more than {FIGURES} sharp blocks of {BLOCK}×{BLOCK} pixels, not {usable} in "
            f"{len(rows)} images; give more or larger photographs"
        )
    mean, covariance = statistics(kept)
    return NiqeModel(mean, covariance, source)


def save_niqe_model(model: NiqeModel, path: Path) -> None:
    """Write a model as ``.npz`` with the names that other tools use.

    Raises:
        SettingError: The name does not end in ``.npz``.
    """
    if path.suffix != ".npz":
        raise SettingError(f"a NIQE model is written as .npz, not {path.name}")
    with path.open("wb") as file:
        np.savez(
            file,
            mu_pris_param=model.mean[None],
            cov_pris_param=model.covariance,
            source=np.frombuffer(model.source.encode(), np.uint8),
        )


def read_niqe_model(path: Path) -> NiqeModel:
    """Read a model.

    Args:
        path: ``.npz`` with ``mu_pris_param`` and ``cov_pris_param``, or the authors' ``modelparameters.mat``. The
            latter was tested on files of that form which SciPy wrote, not on the authors' own.

    Raises:
        ModelFileError: The file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise ModelFileError(f"there is no NIQE model {path}")
    arrays = read_matlab_file(path) if path.suffix == ".mat" else read_weights(path)
    for names in _NAMES:
        if all(name in arrays for name in names):
            mean, covariance = (np.asarray(arrays[name], np.float64) for name in names)
            if mean.size != FIGURES or covariance.shape != (FIGURES, FIGURES):
                raise ModelFileError(
                    f"{path}: {FIGURES} means and {FIGURES}×{FIGURES} covariances are needed, not {mean.shape} and "
                    f"{covariance.shape}"
                )
            if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
                raise ModelFileError(f"{path} holds values that are no numbers")
            source = arrays["source"].tobytes().decode(errors="replace") if "source" in arrays else path.name
            return NiqeModel(mean.ravel(), covariance, source)
    raise ModelFileError(
        f"{path} is no NIQE model: {_NAMES[0][0]} and {_NAMES[0][1]} are needed, not {', '.join(arrays) or 'nothing'}"
    )
