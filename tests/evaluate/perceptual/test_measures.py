import shutil
from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import DataError, ModelFileError, SettingError, UnknownNameError
from pocketsr.evaluate.perceptual import (
    MEASURES,
    Measure,
    NiqeModel,
    find_measure,
    metric_folders,
    niqe,
    read_niqe_model,
    save_niqe_model,
)
from pocketsr.evaluate.perceptual.measure import read_once
from pocketsr.image import list_images, read_image
from sample_photographs import any_niqe_model, photograph

EVERY = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)


@pytest.fixture(autouse=True)
def _no_files_of_the_user(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POCKETSR_METRICS", raising=False)


def image(seed: int = 0) -> np.ndarray:
    grey = np.clip(photograph(200, 210, seed), 0, 255)
    return np.stack([grey, grey[::-1], grey], axis=2).astype(np.uint8)


@EVERY
def test_every_measure_says_what_it_is(measure: Measure) -> None:
    assert find_measure(measure.name) is measure
    assert measure.source
    assert measure.agreement
    assert measure.unit
    assert measure.lowest is None or measure.highest is None or measure.lowest < measure.highest


@EVERY
def test_every_measure_runs_or_says_which_file_is_missing_and_where_to_put_it(measure: Measure, tmp_path: Path) -> None:
    reason = measure.reason()
    if not measure.files:
        assert reason is None
        assert measure.lowest <= measure(image(0), image(1)) <= measure.highest
        return
    for needed in measure.files:
        assert needed.names[0] in reason
        assert needed.what in reason
    assert str(tmp_path / "home" / ".cache" / "pocketsr" / "metrics") in reason
    assert "$POCKETSR_METRICS" in reason
    with pytest.raises(ModelFileError, match=measure.name):
        measure(image(0), image(1))


@EVERY
def test_every_measure_refuses_what_it_cannot_judge(measure: Measure) -> None:
    with pytest.raises(SettingError, match="uint8"):
        measure(image() / 255, image() / 255)
    if measure.needs_truth:
        with pytest.raises(SettingError, match="none was given"):
            measure(image())
        with pytest.raises(SettingError, match="image's shape"):
            measure(image(), image()[1:])


def test_there_is_no_other_measure() -> None:
    with pytest.raises(UnknownNameError, match="'niqe'"):
        find_measure("niqee")
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)


def test_files_are_looked_for_in_the_given_folder_then_the_named_one_then_the_cache(
    tmp_path: Path, monkeypatch
) -> None:
    measure, folders = find_measure("niqe"), [tmp_path / name for name in ("given", "named")]
    monkeypatch.setenv("POCKETSR_METRICS", str(folders[1]))
    folders.append(metric_folders()[-1])
    models = {}
    for number, folder in reversed(list(enumerate(folders))):
        folder.mkdir(parents=True)
        models[number] = NiqeModel(any_niqe_model().mean + number, any_niqe_model().covariance)
        save_niqe_model(models[number], folder / "niqe_pris_params.npz")
        assert measure(image(), folder=folders[0]) == niqe(image(), models[number])
    assert measure(image()) == niqe(image(), models[1])


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    reads: list[Path] = []
    read = read_once(lambda path: reads.append(path) or path.read_text(encoding="utf-8"))
    file = tmp_path / "a"
    for content in ("one", "three"):
        file.write_text(content, encoding="utf-8")
        assert [read(file), read(file)] == [content, content]
    assert len(reads) == 2


def test_the_index_is_half_of_niqe_and_what_ma_leaves_of_ten(tmp_path: Path) -> None:
    save_niqe_model(any_niqe_model(), tmp_path / "niqe_pris_params.npz")
    index, score = find_measure("pi"), find_measure("ma")
    assert "ma_scores.csv" in index.reason(tmp_path)
    assert "niqe_pris_params" not in index.reason(tmp_path)
    (tmp_path / "ma_scores.csv").write_text("baby.png,7.5\n", encoding="utf-8")
    assert score(image(), name="baby.png", folder=tmp_path) == 7.5
    value = index(image(), name="baby.png", folder=tmp_path)
    assert value == pytest.approx(0.5 * (2.5 + niqe(image(), any_niqe_model())))
    with pytest.raises(DataError, match="bird"):
        index(image(), name="bird.png", folder=tmp_path)


@pytest.mark.data
def test_the_published_files_are_found_by_their_names(data_folder: Path, tmp_path: Path, monkeypatch) -> None:
    folder = data_folder / "metric-weights"
    monkeypatch.setenv("POCKETSR_METRICS", str(folder))
    assert [measure.name for measure in MEASURES if measure.reason() is None] == ["ms-ssim", "lpips-squeeze", "niqe"]
    assert "alexnet.safetensors" in find_measure("lpips-alex").reason()
    assert "v0.1__alex.pth" not in find_measure("lpips-alex").reason()
    shutil.copy(folder / "niqe_pris_params.npz", tmp_path)
    photo = read_image(list_images(data_folder / "benchmarks" / "Set5")[0]).pixels
    model = read_niqe_model(tmp_path / "niqe_pris_params.npz")
    assert find_measure("niqe")(photo) == niqe(photo, model)
    assert find_measure("lpips-squeeze")(photo, photo) == 0
