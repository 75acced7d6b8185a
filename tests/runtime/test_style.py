"""Which model is taken where none is named: evidence, style, chain, and what is said of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pocketsr
from pocketsr.errors import ModelFileError, SettingError, UnknownNameError
from pocketsr.image import Photo, read_image
from pocketsr.runtime import Target, Upscaler
from pocketsr.runtime.chosen import choose_names, open_models
from pocketsr.runtime.enlarge import Enlarger
from pocketsr.runtime.photo import PhotoSettings, upscale_file
from pocketsr.runtime.style import LIMITS, Evidence, choose_style, find_evidence, style_for
from pocketsr.weights import DEFAULT_MODEL, Style, catalogue
from pocketsr.weights.catalogue import Entry
from sample_models import InMemory
from sample_photographs import photograph

#: The last quality of each kind of model.
HALVED, WHOLE, NONE = ({style: up_to for up_to, style in LIMITS[colour]} for colour in ("halved", "whole", "none"))


def _pixels() -> np.ndarray:
    image = np.clip(np.rint(photograph(96, 128)), 0, 255).astype(np.uint8)
    return np.stack([image, image[::-1], image], axis=2)


def _grey_jpeg(quality: int, mode: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_pixels()[:, :, 0]).convert(mode).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _jpeg(quality: int, subsampling: str = "4:2:0") -> bytes:
    file = io.BytesIO()
    Image.fromarray(_pixels()).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def _halved(quality: float, **more: Any) -> Evidence:
    return Evidence(file_quality=quality, halves_colour=True, **more)


def _whole(quality: float, **more: Any) -> Evidence:
    return Evidence(file_quality=quality, **more)


@pytest.mark.parametrize(
    ("evidence", "style", "words"),
    [
        (Evidence(), "clean", "no sign of JPEG"),
        (Evidence(has_grid=True), "clean", "as good as none"),
        (_halved(HALVED["jpeg-coarse"]), "jpeg-coarse", "file is JPEG of quality"),
        (_halved(HALVED["jpeg-coarse"] + 1), "jpeg", "its colour at half the resolution"),
        (_halved(HALVED["jpeg"]), "jpeg", "its colour at half the resolution"),
        (_halved(HALVED["jpeg"] + 1), "clean", "as good as none"),
        (_whole(WHOLE["jpeg-coarse"]), "jpeg-coarse", "file is JPEG of quality"),
        (_whole(WHOLE["jpeg-coarse"] + 1), "jpeg-444", "its colour whole"),
        (_whole(WHOLE["jpeg-444"]), "jpeg-444", "its colour whole"),
        (_whole(WHOLE["jpeg-444"] + 1), "clean", "as good as none"),
        (_halved(NONE["jpeg-coarse"], is_grey=True), "jpeg-coarse", "file is JPEG of quality"),
        (_halved(NONE["jpeg-444"], is_grey=True), "jpeg-444", "without colour"),
        (_whole(NONE["jpeg"], is_grey=True), "jpeg", "without colour"),
        (_halved(NONE["jpeg"] + 1, is_grey=True), "clean", "as good as none"),
        # Pixels without a file that says anything.
        (Evidence(pixel_quality=50, has_grid=True), "jpeg-coarse", "once JPEG of quality 50"),
        (Evidence(pixel_quality=88, has_grid=True), "jpeg", "once JPEG of quality 88"),
        (Evidence(pixel_quality=88, is_grey=True), "jpeg", "once JPEG of quality 88, without colour"),
        (Evidence(pixel_quality=88, pixels_keep_colour=True), "jpeg-444", "once JPEG of quality 88, its colour whole"),
        # Pixels of a storing before the file's, and of the file's own, where colour that is not seen says nothing.
        (_whole(98, pixel_quality=50), "jpeg-coarse", "once JPEG of quality 50"),
        (_whole(90, pixel_quality=85), "jpeg-444", "file is JPEG of quality 90"),
        (_whole(90, pixel_quality=84), "jpeg", "once JPEG of quality 84"),
        (_whole(98, pixel_quality=83), "jpeg", "once JPEG of quality 83"),
        (_whole(98, pixel_quality=83, pixels_keep_colour=True), "jpeg-444", "once JPEG of quality 83"),
        (_halved(97, pixel_quality=83, pixels_keep_colour=True), "jpeg", "once JPEG of quality 83"),
        (_whole(88, pixel_quality=86), "jpeg-444", "file is JPEG of quality 88"),
    ],
)
def test_the_style_follows_from_the_evidence(evidence: Evidence, style: str, words: str) -> None:
    found, why = style_for(evidence)
    assert found == style
    assert words in why


@pytest.mark.parametrize(
    ("quality", "subsampling"), [(HALVED["jpeg-coarse"], "4:2:0"), (WHOLE["jpeg-coarse"], "4:4:4")]
)
def test_tables_of_the_last_coarse_quality_settle_it_without_a_look_at_pixels(quality: float, subsampling: str) -> None:
    evidence = find_evidence(read_image(_jpeg(int(quality), subsampling)))
    assert (evidence.pixel_quality, evidence.has_grid) == (None, False)
    assert style_for(evidence)[0] == "jpeg-coarse"


@pytest.mark.parametrize("quality", [int(WHOLE["jpeg-coarse"]), int(WHOLE["jpeg-444"])])
def test_what_tables_of_whole_numbers_are_rounded_by_does_not_count(quality: int) -> None:
    found = read_image(_jpeg(quality, "4:4:4")).jpeg_quality
    assert found is not None
    style, better = (style_for(_whole(one))[0] for one in (found, quality + 1))
    assert style == style_for(_whole(quality))[0] != better


@pytest.mark.parametrize(("subsampling", "style"), [("4:2:0", "jpeg"), ("4:2:2", "jpeg"), ("4:4:4", "clean")])
def test_a_file_of_high_quality_is_for_jpeg_where_its_colour_was_halved(subsampling: str, style: str) -> None:
    assert choose_style(read_image(_jpeg(96, subsampling)), "auto")[0] == style


@pytest.mark.parametrize(("subsampling", "style"), [("4:2:0", "jpeg"), ("4:4:4", "jpeg-444")])
def test_how_colour_was_kept_is_seen_in_the_file_and_in_its_pixels(subsampling: str, style: str) -> None:
    photo = read_image(_jpeg(85, subsampling))
    assert choose_style(photo, "auto")[0] == style
    assert choose_style(Photo(photo.pixels), "auto")[0] == style
    assert choose_style(photo, "jpeg")[0] == style


def test_what_is_not_seen_is_not_said() -> None:
    for evidence in (Evidence(pixel_quality=88), _whole(98, pixel_quality=83)):
        assert "colour" not in style_for(evidence)[1]


@pytest.mark.parametrize("preset", ["high", "web_high"])
def test_tables_that_are_not_libjpeg_s_are_not_taken_for_an_earlier_storing(preset: str) -> None:
    file = io.BytesIO()
    Image.fromarray(_pixels()).save(file, "JPEG", quality=preset, subsampling="4:4:4")
    style, why = choose_style(read_image(file.getvalue()), "auto")
    assert style == "jpeg-444"
    assert why.startswith("its file is JPEG")


@pytest.mark.parametrize(("subsampling", "halves"), [("4:2:0", True), ("4:4:4", False)])
def test_inks_may_keep_colour_at_less_resolution_too(subsampling: str, halves: bool) -> None:
    file = io.BytesIO()
    Image.fromarray(_pixels()).convert("CMYK").save(file, "JPEG", quality=85, subsampling=subsampling)
    assert read_image(file.getvalue()).jpeg_halves_colour == halves


def test_grey_pixels_of_an_earlier_storing_are_for_jpeg() -> None:
    pixels = read_image(_grey_jpeg(80, "L")).pixels
    assert choose_style(Photo(pixels), "auto")[0] == "jpeg-444"


def test_whole_colour_that_is_coarse_goes_where_it_is_better_off() -> None:
    assert choose_style(read_image(_jpeg(50, "4:4:4")), "jpeg")[0] == "jpeg-444"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_is_not_taken_for_whole_colour_nor_for_halved(mode: str) -> None:
    for quality, style in ((int(NONE["jpeg"]), "jpeg"), (int(NONE["jpeg"]) + 4, "clean")):
        photo = read_image(_grey_jpeg(quality, mode))
        assert find_evidence(photo).file_colour == "none"
        assert choose_style(photo, "auto")[0] == style


def test_evidence_is_found_in_files_and_in_pixels() -> None:
    assert find_evidence(read_image(_jpeg(70))).file_quality == pytest.approx(70, abs=1)
    assert find_evidence(Photo(read_image(_jpeg(70)).pixels)).pixel_quality == pytest.approx(70, abs=3)
    assert find_evidence(Photo(_pixels())) == Evidence()
    file = io.BytesIO()  # stored coarsely, then finely: the tables say little
    Image.fromarray(read_image(_jpeg(50)).pixels).save(file, "JPEG", quality=98, subsampling="4:4:4")
    assert choose_style(read_image(file.getvalue()), "auto")[0] == "jpeg-coarse"


def test_a_style_that_is_asked_for_is_taken_without_a_look() -> None:
    assert choose_style(read_image(_jpeg(50)), "clean")[0] == "clean"
    assert choose_style(read_image(_jpeg(95)), "jpeg-coarse")[0] == "jpeg-coarse"
    with pytest.raises(SettingError, match="one of auto, photo, clean, jpeg, jpeg-444, jpeg-coarse, gan, not 'anime'"):
        choose_style(Photo(_pixels()), "anime")  # type: ignore[arg-type]


def test_of_the_models_for_jpeg_signs_decide() -> None:
    assert choose_style(Photo(_pixels()), "jpeg") == ("jpeg", "asked for")
    style, why = choose_style(read_image(_jpeg(50)), "jpeg")
    assert style == "jpeg-coarse"
    assert why.startswith("JPEG was asked for, and its file is JPEG of quality 50")


def _model(scale: int, style: Style) -> Upscaler:
    made = Upscaler(f"{style}-x{scale}.tflite", backend=InMemory(scale))
    made.style = style
    return made


def _chain(models: list[Upscaler], scale: float, style: str) -> list[tuple[int, str]]:
    enlarger = Enlarger(models, target=Target(scale=scale), style=style)  # type: ignore[arg-type]
    chain = enlarger._chain((10, 10), enlarger.size(10, 10), style)  # type: ignore[arg-type]
    return [(model.scale, model.style) for model in chain]


def test_only_the_first_model_in_a_row_is_for_jpeg() -> None:
    models = [_model(3, "clean"), _model(2, "clean"), _model(2, "jpeg")]
    assert _chain(models, 4, "jpeg") == [(2, "jpeg"), (2, "clean")]
    assert _chain(models, 4, "clean") == [(2, "clean"), (2, "clean")]
    assert _chain(models, 6, "jpeg") == [(2, "jpeg"), (3, "clean")]
    assert _chain(models, 3, "jpeg") == [(2, "jpeg"), (2, "clean")]
    assert _chain([*models, _model(3, "jpeg")], 3, "jpeg") == [(3, "jpeg")]
    assert _chain(models[:2], 3, "jpeg") == [(3, "clean")]  # there is none
    for style in ("jpeg-coarse", "jpeg-444"):
        assert _chain(models, 2, style) == [(2, "jpeg")]  # there is none, but one that comes near
    assert _chain([*models, _model(2, "jpeg-coarse")], 2, "jpeg-coarse") == [(2, "jpeg-coarse")]


def test_without_a_size_a_style_without_the_usual_scale_comes_to_it_by_several_models() -> None:
    enlarger = Enlarger([_model(3, "clean"), _model(2, "clean"), _model(2, "jpeg")], target=None)
    size = enlarger.size(10, 10)
    assert size == (30, 30)
    for style, expected in (("jpeg", [(2, "jpeg"), (2, "clean")]), ("clean", [(3, "clean")])):
        chain = enlarger._chain((10, 10), size, style)  # type: ignore[arg-type]
        assert [(model.scale, model.style) for model in chain] == expected
    made = np.concatenate([rows for rows, _ in enlarger.strips(read_image(_jpeg(40)))])
    assert made.shape == (288, 384, 3)


def test_each_photo_gets_its_own_model_and_the_reason_is_said() -> None:
    models = [_model(2, "clean"), _model(2, "jpeg")]
    enlarger = Enlarger(models, target=Target(scale=2))
    name = models[0].spec.name
    assert enlarger.choice(Photo(_pixels())) == f"enlarged by {name}: it shows no sign of JPEG"
    assert "JPEG of quality 40" in enlarger.choice(read_image(_jpeg(40)))
    assert Enlarger(models[0]).choice(read_image(_jpeg(40))) == ""
    enlarger.settle(read_image(_jpeg(40)))
    assert "JPEG of quality 40" in enlarger.choice(Photo(_pixels()))


def test_a_model_for_jpeg_of_another_scale_is_followed_by_one_more() -> None:
    photo = read_image(_jpeg(60))
    words = "its file is JPEG of quality 60"
    models = [_model(3, "clean"), _model(2, "jpeg")]
    name = models[0].spec.name
    assert Enlarger(models).choice(photo) == f"enlarged by {name} and {name}: {words}"
    assert Enlarger(models, target=Target(scale=2)).choice(photo) == f"enlarged by {name}: {words}"


def test_a_model_that_is_not_for_what_was_found_is_not_said_to_be() -> None:
    models = [_model(2, "clean"), _model(2, "gan")]
    said = Enlarger(models, target=Target(scale=2)).choice(read_image(_jpeg(60)))
    assert said.endswith("JPEG of quality 60 (no model of this scale is for that)")


def test_transparency_goes_through_the_model_for_clean_ones() -> None:
    models = [_model(2, "clean"), _model(2, "jpeg")]
    alpha = np.clip(photograph(96, 128, 3), 0, 255).astype(np.uint8)
    ((_, made),) = list(Enlarger(models, target=Target(scale=2), style="jpeg").strips(Photo(_pixels(), alpha)))
    ((_, expected),) = list(Enlarger(models[0], target=Target(scale=2)).strips(Photo(_pixels(), alpha)))
    assert np.array_equal(made, expected)


@pytest.fixture
def catalogue_of(monkeypatch: pytest.MonkeyPatch):
    """Put a catalogue of named models in place of the real one; files are the bundled model's."""
    real = catalogue.find(DEFAULT_MODEL)

    def put(*described: tuple[str, int, Style]) -> None:
        made = []
        for name, scale, style in described:
            facts = {"precision": "int8", "sha256": real.sha256, "licence": "", "data": "", "style": style, "order": 1}
            made.append(Entry(name=name, file=real.file, scale=scale, **facts))  # type: ignore[arg-type]
        monkeypatch.setattr(catalogue, "bundled", lambda: tuple(made))
        monkeypatch.setattr(catalogue, "bank_folder", lambda: None)
        monkeypatch.setattr(catalogue, "bank_names", lambda: {})

    return put


def test_models_are_opened_for_what_photos_may_want(catalogue_of) -> None:
    catalogue_of(
        (DEFAULT_MODEL, 3, "clean"),
        ("c2", 2, "clean"),
        ("j3", 3, "jpeg"),
        ("j2", 2, "jpeg"),
        ("b2", 2, "jpeg-coarse"),
        ("w2", 2, "jpeg-444"),
    )
    assert choose_names(None, "auto") == (DEFAULT_MODEL, "c2", "j3", "j2", "w2", "b2")
    assert choose_names(Target(scale=2), "photo") == ("c2", "j2", "w2", "b2")
    assert choose_names(Target(scale=2), "clean") == ("c2",)
    assert choose_names(Target(scale=2), "jpeg") == ("j2", "w2", "b2", "c2")
    assert choose_names(Target(scale=2), "jpeg-coarse") == ("b2", "c2")
    assert set(choose_names(Target(width=500), "auto")) == {DEFAULT_MODEL, "c2", "j3", "j2", "w2", "b2"}
    assert choose_names(None, None) == (DEFAULT_MODEL,)  # video asks for no style
    assert choose_names(Target(scale=2), None) == ("c2",)
    with pytest.raises(UnknownNameError, match="no model of the catalogue is for style 'gan'; name one"):
        choose_names(None, "gan")
    with pytest.raises(SettingError, match="a style is one of"):
        choose_names(None, "anime")  # type: ignore[arg-type]


def test_without_the_bank_its_models_for_jpeg_are_done_without_unless_asked_for(
    catalogue_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue_of((DEFAULT_MODEL, 3, "clean"), ("c2", 2, "clean"))
    monkeypatch.setattr(catalogue, "bank_names", lambda: {"j3": "jpeg", "g3": "gan"})
    assert choose_names(None, "auto") == (DEFAULT_MODEL,)
    assert choose_names(Target(scale=2), "photo") == ("c2",)
    with pytest.raises(ModelFileError, match="style 'jpeg', such as 'j3', is in the bank"):
        choose_names(None, "jpeg")


def test_a_scale_that_only_one_style_has_opens_all(catalogue_of) -> None:
    catalogue_of((DEFAULT_MODEL, 3, "clean"), ("c4", 4, "clean"), ("j3", 3, "jpeg"))
    assert set(choose_names(Target(scale=4), "auto")) == {DEFAULT_MODEL, "c4", "j3"}


def test_models_share_what_memory_there_is(catalogue_of) -> None:
    catalogue_of((DEFAULT_MODEL, 3, "clean"), ("j3", 3, "jpeg"))
    assert [model._memory_mb for model in open_models(None, None, style="auto", threads=1, memory_mb=90)] == [45, 45]
    assert [model._memory_mb for model in open_models(None, None, style="clean", threads=1, memory_mb=90)] == [90]
    with pytest.raises(SettingError, match="1 or more; 0"):
        open_models(None, None, style="auto", threads=1, memory_mb=0)


def test_the_choice_is_said_with_the_file_that_was_written(catalogue_of, tmp_path: Path) -> None:
    catalogue_of((DEFAULT_MODEL, 3, "clean"), ("j3", 3, "jpeg"))
    (tmp_path / "in.jpg").write_bytes(_jpeg(60))
    models = open_models(None, None, style="auto", threads=1)
    assert [model.style for model in models] == ["clean", "jpeg"]
    notes = upscale_file(models, tmp_path / "in.jpg", tmp_path / "out.png")
    assert notes == (f"enlarged by {DEFAULT_MODEL}: its file is JPEG of quality 60",)  # its file has that name in it
    settings = PhotoSettings(style="clean")
    (note,) = upscale_file(models, tmp_path / "in.jpg", tmp_path / "clean.png", settings=settings)
    assert note.endswith("asked for")
    assert pocketsr.upscale(_pixels(), style="jpeg", threads=1).shape == (288, 384, 3)
    with pytest.raises(SettingError, match="a style is one of"):
        pocketsr.upscale(_pixels(), style="anime")  # type: ignore[call-overload]
