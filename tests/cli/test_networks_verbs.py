"""From a public checkpoint to model files, and the list of networks, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from click.testing import CliRunner, Result

from pocketsr.cli import main
from pocketsr.graph.tflite import read_model, read_spec
from pocketsr.networks import NETWORKS
from upstream import MAKERS


def pocketsr(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    torch.manual_seed(0)
    torch.save({"params_ema": MAKERS["ncnet"].make().state_dict()}, folder / "theirs.pth")
    done = pocketsr("import", folder / "theirs.pth")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(folder / "theirs.safetensors")
    assert "recognised NCNet (torch) of Algolzw/NCNet: ncnet (scale=3, width=32), 52,279 parameters" in done.stderr
    return folder / "theirs.safetensors"


def test_an_import_overwrites_nothing_and_knows_its_refusals(imported: Path) -> None:
    again = pocketsr("import", imported.with_suffix(".pth"))
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    unknown = pocketsr(
        "import", imported.with_suffix(".pth"), "--network", "carm", "-o", imported.parent / "x.safetensors"
    )
    assert unknown.exit_code == 2
    assert "did you mean 'carn-m' or 'carn'" in unknown.stderr
    assert not (imported.parent / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "options", "precision"),
    [
        ("a.tflite", [], "float32"),
        ("b.tflite", ["--precision", "int8"], "int8"),
        ("c.onnx", [], "float32"),
        ("d.onnx", ["--ptq", "mse"], "int8"),
    ],
)
def test_an_imported_network_is_exported(
    imported: Path, image_folder: Path, name: str, options: list[str], precision: str
) -> None:
    output = imported.parent / name
    done = pocketsr(
        "export", imported, "-o", output, "--images", image_folder, "--count", 2, "--calibrate", 2, *options
    )
    assert done.exit_code == 0, done.output
    if name.endswith("onnx"):
        told = {entry.key: entry.value for entry in onnx.load(output).metadata_props}
        assert f'"precision": "{precision}"' in told["pocketsr_spec"]
    else:
        spec = read_spec(output)
        assert (spec.network, spec.scale, spec.precision) == ("ncnet", 3, precision)
        assert "Algolzw/NCNet" in spec.data
    evaluated = pocketsr(
        "evaluate", output if name.endswith("tflite") else imported, image_folder, "--no-ssim", "-t", 1
    )
    assert evaluated.exit_code == 0, evaluated.output


def test_a_size_is_written_for_readers_that_cannot_resize(imported: Path, image_folder: Path) -> None:
    output = imported.parent / "sized.tflite"
    done = pocketsr("export", imported, "-o", output, "--images", image_folder, "--count", 1, "--size", "20x30")
    assert done.exit_code == 0, done.output
    from ai_edge_litert.interpreter import Interpreter

    assert Interpreter(str(output)).get_input_details()[0]["shape"].tolist() == [1, 20, 30, 3]
    wrong = pocketsr("export", imported, "-o", imported.parent / "w.tflite", "--images", image_folder, "--size", "20")
    assert wrong.exit_code == 2
    assert "height and width such as 360x640" in wrong.stderr


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("m.onnx", ["--challenge"], "a pair of .tflite files"),
        ("m.tflite", ["--precision", "float32", "--ptq", "minmax"], "does not go with --precision float32"),
        ("m.tflite", ["--wide", "all"], "add --ptq"),
    ],
)
def test_options_that_contradict_are_refused(
    imported: Path, image_folder: Path, name: str, options: list[str], words: str
) -> None:
    output = imported.parent / name
    done = pocketsr("export", imported, "-o", output, "--images", image_folder, *options)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not output.exists()


def test_a_challenge_gets_an_open_file_and_one_that_is_bound_to_its_frame(image_folder: Path, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    done = pocketsr("export", "abpn-x3", "-o", tmp_path / "m.tflite", "--images", image_folder, "--challenge")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / "m.tflite"), str(tmp_path / "m_time.tflite")]
    shapes = []
    for file in done.stdout.split():
        details = Interpreter(file).get_input_details()[0]
        shapes.append((details["shape"].tolist(), details["shape_signature"].tolist()))
    assert shapes == [([1, 360, 640, 3], [1, -1, -1, 3]), ([1, 360, 640, 3], [1, 360, 640, 3])]
    assert read_model(tmp_path / "m_time.tflite")[1] == read_model(tmp_path / "m.tflite")[1]
    again = pocketsr("export", "abpn-x3", "-o", tmp_path / "m.tflite", "--images", image_folder, "--challenge")
    assert (again.exit_code, "--overwrite" in again.stderr) == (1, True)


def test_a_model_file_is_written_in_another_form_and_not_changed(image_folder: Path, tmp_path: Path) -> None:
    done = pocketsr("export", "abpn-x3", "-o", tmp_path / "m.onnx", "--images", image_folder, "--count", 2)
    assert done.exit_code == 0, done.output
    assert onnx.load(tmp_path / "m.onnx").graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    changed = pocketsr("export", "abpn-x3", "-o", tmp_path / "n.onnx", "--images", image_folder, "--ptq", "mse")
    assert (changed.exit_code, "written as it is" in changed.stderr) == (2, True)


@pytest.mark.parametrize("options", [["-o", "bound.onnx"], ["-o", "bound.bin", "--format", "onnx"]])
def test_an_onnx_file_is_bound_to_a_size(imported: Path, image_folder: Path, options: list[str]) -> None:
    output = imported.parent / options[1]
    options = ["-o", str(output), *options[2:], "--size", "6x8"]
    done = pocketsr("export", imported, "--images", image_folder, "--count", 1, *options)
    assert done.exit_code == 0, done.output
    shape = onnx.load(output).graph.output[0].type.tensor_type.shape
    assert [side.dim_value for side in shape.dim] == [1, 3, 18, 24]


def test_a_luma_network_is_exported_and_judged_on_colour(image_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = MAKERS["espcn"].make()
    with torch.no_grad():  # outputs within 0..1, so that nothing depends on where they are clipped
        module.last_part[0].weight.mul_(0.1)
        module.last_part[0].bias.fill_(0.5)
    torch.save(module.state_dict(), tmp_path / "espcn.pth")
    assert pocketsr("import", tmp_path / "espcn.pth").exit_code == 0
    saved, output = tmp_path / "espcn.safetensors", tmp_path / "espcn.tflite"
    done = pocketsr("export", saved, "-o", output, "--images", image_folder, "--count", 1)
    assert done.exit_code == 0, done.output
    assert read_model(output)[1].channels == 1
    figures = [pocketsr("evaluate", file, image_folder, "--no-ssim", "--json", "-t", 1) for file in (saved, output)]
    means = [json.loads(each.stdout)["reports"][0]["means"]["abpn"]["psnr_db"] for each in figures]
    assert means[0] == pytest.approx(means[1], abs=0.05)


def test_the_list_names_every_network_with_its_figures() -> None:
    done = pocketsr("networks", "--scale", 4, "--json")
    assert done.exit_code == 0, done.output
    rows = {row["network"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {name for name, entry in NETWORKS.items() if 4 in entry.scales}
    assert rows["carn"]["gmacs_720p"] == pytest.approx(90.9, abs=0.1)
    assert rows["imdn"]["receptive_field"] == "all"
    assert rows["f2srgan"]["float32"] is False


def test_one_network_is_shown_layer_by_layer() -> None:
    done = pocketsr("networks", "xlsr", "--scale", 3)
    assert done.exit_code == 0, done.output
    for words in (
        "parameters 21,947",
        "Conv2D 3×3, 4 groups, ReLU: 32 → 32",
        "printed: XLSR: 21.95K",
        "int8: yes",
        "can be pruned: yes",
    ):
        assert words in done.stdout
    assert pocketsr("networks", "xlsr", "--scale", 3).exit_code == 0
    wrong = pocketsr("networks", "srresnet", "--scale", 3)
    assert wrong.exit_code == 2
    assert "upscales by 2, 4, not by 3" in wrong.stderr
    assert "did you mean" in pocketsr("networks", "xlsrr").stderr
