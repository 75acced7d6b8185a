"""Checkpoints that are damaged, of another kind, or made to do harm: each is refused by what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pocketsr.errors import CheckpointError
from pocketsr.importing import import_checkpoint
from upstream import MAKERS


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_tensors_of_no_such_shape_are_an_error_of_ours(name: str, tmp_path: Path) -> None:
    tensors = dict(MAKERS[name].make().state_dict())
    weights = [key for key in tensors if key.endswith(".weight")]
    for key in (weights[0], weights[-1]):
        for value in (torch.tensor(1.0), torch.zeros(3), torch.zeros(0)):
            torch.save({**tensors, key: value}, tmp_path / "shape.pth")
            with pytest.raises(CheckpointError):
                import_checkpoint(tmp_path / "shape.pth", scale=MAKERS[name].scale)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_missing_tensor_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    tensors = dict(MAKERS[name].make().state_dict())
    first = next(
        key for key in tensors if key.endswith((".weight", ".bias")) and "anchor" not in key and "mean" not in key
    )
    for key in {first, first.replace("weight", "bias")} & set(tensors):
        torch.save({each: value for each, value in tensors.items() if each != key}, tmp_path / "short.pth")
        with pytest.raises(CheckpointError):
            import_checkpoint(tmp_path / "short.pth", scale=MAKERS[name].scale)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda tensor: (tensor * 100).to(torch.int8), "holds int8; weights of floating point are needed"),
        (lambda tensor: tensor.to(torch.complex64), "holds complex64"),
        (lambda tensor: tensor.to_sparse(), "holds sparse_coo"),
        (lambda tensor: tensor * float("nan"), "holds values that are no numbers"),
    ],
)
def test_values_that_are_no_weights_are_refused(spoil: Callable[[Tensor], Tensor], words: str, tmp_path: Path) -> None:
    tensors = dict(MAKERS["ncnet"].make().state_dict())
    torch.save({**tensors, "body.4.weight": spoil(tensors["body.4.weight"])}, tmp_path / "values.pth")
    with pytest.raises(CheckpointError, match=rf"'body\.4\.weight' {words}"):
        import_checkpoint(tmp_path / "values.pth")


def test_weights_of_half_precision_are_read(tmp_path: Path) -> None:
    tensors = {key: value.half() for key, value in MAKERS["ncnet"].make().state_dict().items()}
    torch.save(tensors, tmp_path / "half.pth")
    network = import_checkpoint(tmp_path / "half.pth").network
    assert torch.equal(network.state_dict()["head.weight"], tensors["body.0.weight"].float())


@pytest.mark.parametrize(
    ("name", "key"),
    [("carn", "sub_mean.shifter.bias"), ("f2srgan", "add_mean.weight"), ("sesr", "anchor.net.weight")],
)
def test_layers_that_our_network_has_fixed_must_hold_those_numbers(name: str, key: str, tmp_path: Path) -> None:
    tensors = dict(MAKERS[name].make().state_dict())
    torch.save({**tensors, key: tensors[key] * 1.01}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=rf"'{key}' is not"):
        import_checkpoint(tmp_path / "other.pth", scale=MAKERS[name].scale)


@pytest.mark.parametrize(("name", "key"), [("ncnet-x4", "body.12.bias"), ("xlsr", "conv4.bias")])
def test_reordering_channels_cuts_none_off(name: str, key: str, tmp_path: Path) -> None:
    tensors = dict(MAKERS[name].make().state_dict())
    torch.save({**tensors, key: tensors[key].repeat(2)}, tmp_path / "long.pth")
    with pytest.raises(CheckpointError, match=f"'{key}' has {2 * len(tensors[key])} channels"):
        import_checkpoint(tmp_path / "long.pth")


def test_blocks_are_shared_only_if_every_tensor_is(tmp_path: Path) -> None:
    tensors = dict(MAKERS["pcarn-m"].make().state_dict())
    torch.save(tensors, tmp_path / "shared.pth")
    assert import_checkpoint(tmp_path / "shared.pth").options["recursive"] is True
    torch.save({**tensors, "b3.b2.pw.bias": tensors["b3.b2.pw.bias"] + 1}, tmp_path / "own.pth")
    assert import_checkpoint(tmp_path / "own.pth").options["recursive"] is False


def test_a_cascade_without_upsamplers_says_what_it_lacks(tmp_path: Path) -> None:
    tensors = MAKERS["carn"].make().state_dict()
    torch.save({key: value for key, value in tensors.items() if "upsample" not in key}, tmp_path / "body.pth")
    with pytest.raises(CheckpointError, match="no upsampler of the released code"):
        import_checkpoint(tmp_path / "body.pth")


def test_wrappers_within_wrappers_are_looked_through(tmp_path: Path) -> None:
    inner = {f"net.{key}": value for key, value in MAKERS["srresnet"].make().state_dict().items()}
    torch.save({"model": {"width": 16}, "generator": {"state_dict": inner}}, tmp_path / "generator.pth")
    assert import_checkpoint(tmp_path / "generator.pth").name == "srresnet"


def test_a_file_that_holds_itself_comes_to_an_end(tmp_path: Path) -> None:
    itself: dict[str, Any] = {}
    itself["state_dict"] = itself["model"] = itself
    torch.save(itself, tmp_path / "itself.pth")
    with pytest.raises(CheckpointError, match="holds no tensors by name"):
        import_checkpoint(tmp_path / "itself.pth")
