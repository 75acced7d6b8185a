"""Key names of the classic networks: SRCNN, FSRCNN, ESPCN, and IMDN in both forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pocketsr.importing.conversion import Conversion, Source

_Tensors = Mapping[str, Tensor]


def _is_srcnn(tensors: _Tensors) -> bool:
    return set(tensors) == {f"conv{number}.{part}" for number in (1, 2, 3) for part in ("weight", "bias")}


def _srcnn(state: Conversion) -> dict[str, Any]:
    for theirs, ours in (("conv1", "extract"), ("conv2", "map"), ("conv3", "reconstruct")):
        state.move(theirs, ours)
    channels, middle = state.peek("conv1.weight").shape[1], state.peek("conv2.weight").shape[-1]
    return {"scale": state.scale_told("srcnn"), "channels": channels, "middle_kernel": middle}


def _is_fsrcnn(tensors: _Tensors) -> bool:
    return {"first_part.0.weight", "first_part.1.weight", "mid_part.0.weight", "last_part.weight"} <= set(tensors)


def _fsrcnn(state: Conversion) -> dict[str, Any]:
    state.move("first_part.0", "body.0")
    state.move("first_part.1", "body.1")
    layers = state.count("mid_part.{}.weight")
    for index in range(layers):
        state.move(f"mid_part.{index}", f"body.{index + 2}")
    state.move("last_part", "enlarge")
    first, narrow = state.peek("first_part.0.weight"), state.peek("mid_part.0.weight")
    return {
        "scale": state.scale_told("fsrcnn"),
        "channels": first.shape[1],
        "width": len(first),
        "narrow": len(narrow),
        "depth": layers // 2 - 2,
        "activation": "prelu",
    }


def _is_espcn(tensors: _Tensors) -> bool:
    return {"first_part.0.weight", "first_part.2.weight", "last_part.0.weight"} <= set(tensors)


def _espcn(state: Conversion) -> dict[str, Any]:
    for theirs, ours in (("first_part.0", "head"), ("first_part.2", "body"), ("last_part.0", "tail")):
        state.move(theirs, ours)
    channels = state.peek("first_part.0.weight").shape[1]
    return {"scale": state.scale_from(len(state.peek("last_part.0.weight")), channels), "channels": channels}


_STEPS = ("first", "second", "third", "fourth")


def _is_imdn(tensors: _Tensors) -> bool:
    return {"fea_conv.weight", "IMDB1.c1.weight", "IMDB1.cca.conv_du.0.weight", "LR_conv.weight"} <= set(tensors)


def _imdn(state: Conversion) -> dict[str, Any]:
    depth = sum(state.has(f"IMDB{number}.c1.weight") for number in range(1, 33))
    for number in range(1, depth + 1):
        theirs, ours = f"IMDB{number}", f"body.{number - 1}"
        for index, step in enumerate(_STEPS):
            state.move(f"{theirs}.c{index + 1}", f"{ours}.{step}")
        state.move(f"{theirs}.c5", f"{ours}.fuse")
        state.move(f"{theirs}.cca.conv_du.0", f"{ours}.attention.squeeze")
        state.move(f"{theirs}.cca.conv_du.2", f"{ours}.attention.expand")
    for theirs, ours in (("fea_conv", "head"), ("c.0", "join"), ("LR_conv", "last"), ("upsampler.0", "tail")):
        state.move(theirs, ours)
    scale = state.scale_from(len(state.peek("upsampler.0.weight")))
    return {"scale": scale, "form": "original", "width": len(state.peek("fea_conv.weight")), "depth": depth}


def _is_kair_imdn(tensors: _Tensors) -> bool:
    return {"model.0.weight", "model.1.sub.0.conv1.0.weight", "model.1.sub.0.conv1x1.weight"} <= set(tensors)


def _kair_imdn(state: Conversion) -> dict[str, Any]:
    depth = state.count("model.1.sub.{}.conv1x1.weight")
    for index in range(depth):
        theirs, ours = f"model.1.sub.{index}", f"body.{index}"
        for number, step in enumerate(_STEPS[:3]):
            state.move(f"{theirs}.conv{number + 1}.0", f"{ours}.{step}")
        state.move(f"{theirs}.conv4", f"{ours}.fourth")
        state.move(f"{theirs}.conv1x1", f"{ours}.fuse")
    for theirs, ours in (("model.0", "head"), (f"model.1.sub.{depth}", "last"), ("model.2", "tail")):
        state.move(theirs, ours)
    scale = state.scale_from(len(state.peek("model.2.weight")))
    return {"scale": scale, "form": "ntire", "width": len(state.peek("model.0.weight")), "depth": depth}


def _is_srresnet(tensors: _Tensors) -> bool:
    return {"conv_block1.conv_block.0.weight", "residual_blocks.0.conv_block1.conv_block.1.running_mean"} <= set(
        tensors
    )


def _srresnet(state: Conversion) -> dict[str, Any]:
    def normed(theirs: str, ours: str) -> None:
        state.move(f"{theirs}.conv_block.0", f"{ours}.conv")
        state.move(f"{theirs}.conv_block.1", f"{ours}.norm")
        for part in ("running_mean", "running_var"):
            state.move_tensor(f"{theirs}.conv_block.1.{part}", f"{ours}.norm.{part}")

    state.move("conv_block1.conv_block.0", "head")
    state.move("conv_block1.conv_block.1", "activation")
    depth = state.count("residual_blocks.{}.conv_block1.conv_block.0.weight")
    for index in range(depth):
        theirs, ours = f"residual_blocks.{index}", f"body.{index}"
        normed(f"{theirs}.conv_block1", f"{ours}.first")
        state.move(f"{theirs}.conv_block1.conv_block.2", f"{ours}.activation")
        normed(f"{theirs}.conv_block2", f"{ours}.second")
    normed("conv_block2", "last")
    doublings = state.count("subpixel_convolutional_blocks.{}.conv.weight")
    for index in range(doublings):
        state.move(f"subpixel_convolutional_blocks.{index}.conv", f"enlarge.{index}.conv")
        state.move(f"subpixel_convolutional_blocks.{index}.prelu", f"enlarge.{index}.activation")
    state.move("conv_block3.conv_block.0", "tail")
    width = len(state.peek("conv_block1.conv_block.0.weight"))
    return {"scale": 2**doublings, "width": width, "depth": depth, "form": "tutorial"}


SOURCES = (
    Source(name="SRCNN", repository="yjn870/SRCNN-pytorch", network="srcnn", matches=_is_srcnn, convert=_srcnn),
    Source(name="FSRCNN", repository="yjn870/FSRCNN-pytorch", network="fsrcnn", matches=_is_fsrcnn, convert=_fsrcnn),
    Source(name="ESPCN", repository="yjn870/ESPCN-pytorch", network="espcn", matches=_is_espcn, convert=_espcn),
    Source(
        name="SRResNet (tutorial)",
        repository="sgrvinod/a-PyTorch-Tutorial-to-Super-Resolution",
        network="srresnet",
        matches=_is_srresnet,
        convert=_srresnet,
        note="its published file holds a whole module, which is not read: save its state_dict() first",
    ),
    Source(name="IMDN", repository="Zheng222/IMDN", network="imdn", matches=_is_imdn, convert=_imdn),
    Source(name="IMDN (KAIR)", repository="cszn/KAIR", network="imdn", matches=_is_kair_imdn, convert=_kair_imdn),
)
