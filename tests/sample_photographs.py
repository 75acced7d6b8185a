"""Images and statistics for tests of what looks at photographs."""

from __future__ import annotations

import numpy as np

from pocketsr.evaluate.perceptual.niqe import NiqeModel


def photograph(height: int = 300, width: int = 400, seed: int = 0) -> np.ndarray:
    """Noise with the spectrum of photographs, nowhere flat: floating point in about 0..255."""
    random = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    spectrum = np.fft.fft2(random.normal(size=(height, width))) / (np.hypot(rows, columns) + 1 / width) ** 1.2
    image = np.fft.ifft2(spectrum).real
    return 128 + 40 * image / image.std()


def any_niqe_model() -> NiqeModel:
    random = np.random.default_rng(1)
    root = random.normal(size=(36, 36))
    return NiqeModel(random.normal(size=36), root @ root.T / 36)
