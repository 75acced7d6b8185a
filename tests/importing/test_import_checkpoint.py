"""Public checkpoints become our networks; each mapping is proven by a miniature with the public code's names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pocketsr.errors import CheckpointError, UnknownNameError
from pocketsr.importing import SOURCES, import_checkpoint
from upstream import MAKERS


def saved(tmp_path: Path, module: nn.Module, name: str = "theirs.pth") -> Path:
    path = tmp_path / name
    torch.save(module.state_dict(), path)
    return path


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_network_computes_what_the_public_code_computes(name: str, tmp_path: Path) -> None:
    maker = MAKERS[name]
    torch.manual_seed(0)
    module = maker.make()
    with torch.no_grad():
        for parameter in (each for each in module.parameters() if each.requires_grad):
            parameter.add_(0.05 * torch.randn_like(parameter))
    imported = import_checkpoint(saved(tmp_path, module.eval()), scale=maker.scale)
    image = torch.rand(1, imported.network.channels, 9, 8)
    with torch.no_grad():
        expected, output = maker.run(module, image), imported.network(image)
    allowed = 1e-5 * max(1.0, float(expected.abs().max()))
    assert imported.name == maker.network
    assert output.shape == expected.shape
    assert (output - expected).abs().max() <= allowed


def test_every_source_but_the_refused_one_is_proven() -> None:
    assert {source.name for source in SOURCES} == {maker.source for maker in MAKERS.values()} | {"ABPNRelease"}


@pytest.mark.parametrize("wrapper", ["params_ema", "params", "state_dict", "model_state_dict", "model", "generator"])
def test_wrappers_and_data_parallel_names_are_taken_off(wrapper: str, tmp_path: Path) -> None:
    tensors = {f"module.{key}": value for key, value in MAKERS["ncnet"].make().state_dict().items()}
    torch.save({wrapper: tensors, "epoch": 3}, tmp_path / "wrapped.pth")
    assert import_checkpoint(tmp_path / "wrapped.pth").name == "ncnet"


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(MAKERS["ncnet"].make().state_dict(), tmp_path / "theirs.safetensors")
    assert import_checkpoint(tmp_path / "theirs.safetensors").options["scale"] == 3


class Malicious:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    torch.save({"state_dict": Malicious(tmp_path / "ran")}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="can run code"):
        import_checkpoint(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_what_is_not_known_is_refused_with_what_is(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"of no source that is known.*layer\.weight.*nmhkahn/PCARN-pytorch"):
        import_checkpoint(tmp_path / "x.pth")
    with pytest.raises(UnknownNameError, match="network to import"):
        import_checkpoint(tmp_path / "x.pth", network="pcarnn")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(CheckpointError, match="holds no tensors"):
        import_checkpoint(tmp_path / "empty.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(CheckpointError, match=r"text\.pth"):
        import_checkpoint(tmp_path / "text.pth")
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        import_checkpoint(tmp_path / "missing.pth")


def test_damaged_checkpoints_are_refused_by_what_is_wrong(tmp_path: Path) -> None:
    tensors = dict(MAKERS["ncnet"].make().state_dict())
    torch.save({**tensors, "extra.weight": torch.zeros(2)}, tmp_path / "surplus.pth")
    with pytest.raises(CheckpointError, match=r"has not: extra\.weight"):
        import_checkpoint(tmp_path / "surplus.pth")
    torch.save({key: value for key, value in tensors.items() if key != "body.4.weight"}, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match=r"lacks 'body\.4\.weight'"):
        import_checkpoint(tmp_path / "short.pth")
    torch.save({**tensors, "body.4.weight": torch.zeros(32, 32, 5, 5)}, tmp_path / "shape.pth")
    needed = r"body\.4\.weight \(our body\.1\.weight\) needs the shape \(32, 32, 3, 3\), the file has \(32, 32, 5, 5\)"
    with pytest.raises(CheckpointError, match=needed):
        import_checkpoint(tmp_path / "shape.pth")


def test_a_checkpoint_becomes_the_row_of_the_list_that_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path, MAKERS["carn-m"].make())
    assert import_checkpoint(path, network="carn-m", scale=2).name == "carn-m"
    with pytest.raises(CheckpointError, match="holds carn-m, not pcarn"):
        import_checkpoint(path, network="pcarn")


def test_a_scale_that_the_weights_do_not_tell_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="add --scale"):
        import_checkpoint(saved(tmp_path, MAKERS["fsrcnn"].make()))
    with pytest.raises(CheckpointError, match="upscales by 3, not by 2"):
        import_checkpoint(saved(tmp_path, MAKERS["ncnet"].make()), scale=2)


def test_aimet_s_other_networks_are_not_taken_for_its_abpn(tmp_path: Path) -> None:
    tensors = {f"cnn.{index}.weight": torch.zeros(1) for index in range(0, 24, 2)}
    torch.save({**tensors, "conv_last.weight": torch.zeros(1)}, tmp_path / "quicksrnet.pth")
    with pytest.raises(CheckpointError, match="of no source that is known"):
        import_checkpoint(tmp_path / "quicksrnet.pth")


def test_aimet_s_abpn_is_refused_with_the_reason(tmp_path: Path) -> None:
    layers: list[nn.Module] = [nn.Conv2d(3, 28, 3, padding=1)]
    for _ in range(5):
        layers += [nn.ReLU(), nn.Conv2d(28, 28, 3, padding=1)]
    module = nn.Module()
    module.cnn = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(28, 12, 3, padding=1))
    with pytest.raises(CheckpointError, match="which is not ABPN"):
        import_checkpoint(saved(tmp_path, module))


@pytest.mark.data
def test_the_authors_pcarn_m_reaches_its_published_figure(data_folder: Path) -> None:
    from pocketsr.evaluate import evaluate, find_protocol
    from pocketsr.train import upscale_with

    path = data_folder / "reference-weights" / "PCARN-M-L1.pth"
    imported = import_checkpoint(path, scale=4)
    assert imported.options["scales"] == [2, 3, 4]
    assert (imported.options["groups"], imported.options["recursive"]) == (4, True)
    report = evaluate(
        lambda image: upscale_with(imported.network, image),
        data_folder / "benchmarks" / "Set5",
        scale=4,
        protocols=[find_protocol("classic")],
        with_ssim=False,
    )
    assert report.mean("classic").psnr_db == pytest.approx(31.879, abs=0.01)
