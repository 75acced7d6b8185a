from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pocketsr.errors import DataError, ModelFileError, SettingError
from pocketsr.evaluate.perceptual.niqe import NiqeModel, niqe
from pocketsr.evaluate.perceptual.niqe_model import fit_niqe, read_niqe_model, save_niqe_model
from sample_photographs import any_niqe_model, photograph


@pytest.fixture(scope="module")
def fitted() -> NiqeModel:
    return fit_niqe((photograph(480, 480, seed) for seed in range(4)), source="made up")


def test_images_of_the_kind_a_model_was_fitted_to_come_nearest(fitted: NiqeModel) -> None:
    kind = photograph(480, 480, 99)
    noise = np.random.default_rng(0).normal(0, 20, kind.shape)
    assert niqe(kind, fitted) < niqe(kind + noise, fitted) < niqe(kind + 3 * noise, fitted)


def test_only_sharp_blocks_are_fitted() -> None:
    sharp = [photograph(480, 480, seed) for seed in range(4)]
    dull = [image.copy() for image in sharp]
    for image in dull:
        image[:96] = 128 + (image[:96] - 128) / 20
    without, blurred = fit_niqe(image[96:] for image in sharp), fit_niqe(dull)
    assert blurred.mean == pytest.approx(without.mean, rel=0.05, abs=0.02)


def test_too_few_blocks_are_refused() -> None:
    with pytest.raises(DataError, match="more than 36 sharp blocks"):
        fit_niqe([photograph(192, 192)])
    with pytest.raises(DataError, match="not 0 in 0 images"):
        fit_niqe([])


def test_what_is_saved_is_read_back(fitted: NiqeModel, tmp_path: Path) -> None:
    save_niqe_model(fitted, tmp_path / "mine.npz")
    back = read_niqe_model(tmp_path / "mine.npz")
    assert (back.mean == fitted.mean).all()
    assert (back.covariance == fitted.covariance).all()
    assert back.source == "made up"
    with pytest.raises(SettingError, match=r"\.npz"):
        save_niqe_model(fitted, tmp_path / "mine.mat")


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_matlab_file_gives_the_same_model(is_compressed: bool, tmp_path: Path) -> None:
    model, file = any_niqe_model(), tmp_path / "modelparameters.mat"
    content = {"mu_prisparam": model.mean[None], "cov_prisparam": model.covariance, "note": "text", "few": [[1, 2]]}
    savemat(file, content, do_compression=is_compressed)
    back = read_niqe_model(file)
    assert (back.mean == model.mean).all()
    assert (back.covariance == model.covariance).all()
    assert back.source == "modelparameters.mat"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mat", b"MATLAB 7.3 MAT-file, " + bytes(600), "7.3"),
        ("a.mat", b"hello", "version 5"),
        ("a.npz", b"hello", "cannot be read"),
        ("a.npz", b"", "cannot be read"),
    ],
)
def test_files_that_are_no_model_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        read_niqe_model(tmp_path / name)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_damaged_matlab_files_are_refused_wherever_they_end(is_compressed: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"mu_prisparam": np.ones((1, 36))}, do_compression=is_compressed)
    whole = file.read_bytes()
    for size in range(129, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            read_niqe_model(file)


def test_models_of_other_names_sizes_or_without_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no NIQE model"):
        read_niqe_model(tmp_path / "none.npz")
    np.savez(tmp_path / "a.npz", mean=np.ones(36))
    with pytest.raises(ModelFileError, match="not mean"):
        read_niqe_model(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", mu_pris_param=np.ones(35), cov_pris_param=np.eye(35))
    with pytest.raises(ModelFileError, match="36 means"):
        read_niqe_model(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", mu_pris_param=np.full(36, np.nan), cov_pris_param=np.eye(36))
    with pytest.raises(ModelFileError, match="no numbers"):
        read_niqe_model(tmp_path / "c.npz")
