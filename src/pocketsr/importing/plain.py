"""Key names of the plain networks: NCNet, ABPN, XLSR, SESR, LRSRN, RTSRN, ETDS, SPAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pocketsr.blocks import repeat_pixels
from pocketsr.errors import CheckpointError
from pocketsr.importing.conversion import Conversion, Source

_Tensors = Mapping[str, Tensor]


# -- NCNet and ABPN ---------------------------------------------------------------------------------------------------


def _is_ncnet(tensors: _Tensors) -> bool:
    return {"body.0.weight", "body.10.weight", "body.12.weight"} <= set(tensors) and "body.14.weight" not in tensors


def _ncnet(state: Conversion) -> dict[str, Any]:
    scale = state.scale_from(len(state.peek("body.12.weight")))
    state.move("body.0", "head")
    for index in range(4):
        state.move(f"body.{2 * index + 2}", f"body.{index}")
    state.move("body.10", "tail")
    state.move("body.12", "transition", order=_one_shuffle_of_two(3) if scale == 4 else None)
    return {"scale": scale, "width": len(state.peek("body.0.weight"))}


def _one_shuffle_of_two(colours: int) -> Tensor:
    """Return for each channel before one pixel shuffle by 4 its place before two by 2 (of 16 · colours channels)."""
    place = torch.arange(16 * colours)
    colour, row, column = place // 16, place // 4 % 4, place % 4
    inner, outer = (row // 2) * 2 + column // 2, (row % 2) * 2 + column % 2
    return (colour * 4 + outer) * 4 + inner


def _is_abpn(tensors: _Tensors) -> bool:
    return {"backbone.0.weight", "backbone.2.0.weight"} <= set(tensors)


def _abpn(state: Conversion) -> dict[str, Any]:
    depth = state.count("backbone.{}.0.weight", start=2)
    names = [("backbone.0", "head"), (f"backbone.{depth + 2}", "tail"), (f"backbone.{depth + 4}", "transition")]
    names += [(f"backbone.{index + 2}.0", f"body.{index}") for index in range(depth)]
    for theirs, ours in names:
        state.move(theirs, ours)
        # Trained on 0..1: between ReLUs 255 times the image needs the same weights and 255 times the biases.
        state.result[f"{ours}.bias"] = state.take(f"{theirs}.bias") * 255
    scale = state.scale_from(len(state.peek(f"backbone.{depth + 4}.weight")))
    return {"scale": scale, "width": len(state.peek("backbone.0.weight")), "depth": depth}


def _is_aimet_abpn(tensors: _Tensors) -> bool:
    # XLSRRelease and QuickSRNet of the same zoo count their layers alike, and have others apart.
    others = {"residual.weight", "conv_last.weight"}
    return {"cnn.0.weight", "cnn.12.weight"} <= set(tensors) and not others & set(tensors)


def _aimet_abpn(_: Conversion) -> dict[str, Any]:
    raise CheckpointError(
        "this is ABPNRelease of aimet-model-zoo: six layers of 28 channels and one into image space, which is not ABPN "
        "(the paper's code has two layers in image space, and a clip): there is no network of ours for it"
    )


# -- XLSR -------------------------------------------------------------------------------------------------------------


def _is_xlsr(tensors: _Tensors) -> bool:
    return "conv0_0.conv.weight" in tensors and "Gblocks.0.conv0.weight" in tensors


def _xlsr(state: Conversion) -> dict[str, Any]:
    scale = state.scale_from(len(state.peek("conv4.weight")))
    for part in ("weight", "bias"):
        state.result[f"head.{part}"] = torch.cat([state.take(f"conv0_{index}.conv.{part}") for index in range(4)])
    state.move("conv2", "mix")
    for index in range(3):
        state.move(f"Gblocks.{index}.conv0", f"body.{index}.grouped")
        state.move(f"Gblocks.{index}.conv1", f"body.{index}.mix")
    state.move("conv1", "skip")
    state.move("conv3.conv", "fuse")
    state.move("conv4", "tail", order=torch.arange(3 * scale**2).reshape(3, -1).flip(0).flatten())
    for key in ("head.weight", "skip.weight"):  # trained on OpenCV's blue, green, red
        state.result[key] = state.result[key].flip(1)
    return {"scale": scale}


def _is_aimet_xlsr(tensors: _Tensors) -> bool:
    return {"residual.weight", "cnn.3.net.0.weight", "tail.2.weight"} <= set(tensors)


def _aimet_xlsr(state: Conversion) -> dict[str, Any]:
    state.move("cnn.0", "head")
    state.move("cnn.2", "mix")
    for index in range(3):
        state.move(f"cnn.{index + 3}.net.0", f"body.{index}.grouped")
        state.move(f"cnn.{index + 3}.net.2", f"body.{index}.mix")
    state.move("residual", "skip")
    state.move("tail.0", "fuse")
    state.move("tail.2", "tail")
    return {"scale": state.scale_from(len(state.peek("tail.2.weight")))}


# -- SESR -------------------------------------------------------------------------------------------------------------


def _is_sesr(tensors: _Tensors) -> bool:
    return {"conv_first.conv_expand.weight", "conv_last.conv_expand.weight"} <= set(tensors)


def _sesr(state: Conversion) -> dict[str, Any]:
    collapsed = not state.has("conv_first.conv_squeeze.weight")
    depth = state.count("residual_block.{}.conv_expand.weight")
    names = [("conv_first", "head"), ("conv_last", "tail")]
    names += [(f"residual_block.{index}", f"body.{index}") for index in range(depth)]
    for theirs, ours in names:
        if collapsed:
            state.move(f"{theirs}.conv_expand", ours)
        else:
            state.move(f"{theirs}.conv_expand", f"{ours}.expand")
            state.move(f"{theirs}.conv_squeeze", f"{ours}.squeeze")
            state.result[f"{ours}.expand.bias"] = torch.zeros(len(state.result[f"{ours}.expand.weight"]))
    first, last = state.peek("conv_first.conv_expand.weight"), names[1][0]
    width = len(state.peek("conv_first.conv_expand.weight" if collapsed else "conv_first.conv_squeeze.weight"))
    outputs = len(state.peek(f"{last}.conv_expand.weight" if collapsed else f"{last}.conv_squeeze.weight"))
    channels = first.shape[1]
    scale = state.scale_from(outputs, channels)
    nearest = repeat_pixels(torch.eye(channels).reshape(channels, channels, 1, 1), scale)  # an image for each colour
    state.check_frozen("anchor.net.weight", nearest.transpose(0, 1), "the copies of the image")
    state.check_frozen("anchor.net.bias", torch.zeros(outputs), "zero")
    return {
        "scale": scale,
        "channels": channels,
        "width": width,
        "depth": depth,
        "expansion": 0 if collapsed else len(first),
        "form": "aimet",
    }


# -- LRSRN and RTSRN --------------------------------------------------------------------------------------------------


def _is_lrsrn(tensors: _Tensors) -> bool:
    keys = set(tensors)
    return bool({"transition.0.conv3x3.weight", "transition.0.conv0.weight"} & keys) and any(
        key.startswith("backbone.0.conv") for key in keys
    )


def _lrsrn(state: Conversion) -> dict[str, Any]:
    depth = state.count("backbone.{}.conv0.weight") or state.count("backbone.{}.conv3x3.weight")
    in_body, everywhere = state.has("backbone.0.conv0.weight"), state.has("head.conv0.weight")
    names = [("head", "head"), ("transition.0", "transition")]
    names += [(f"backbone.{index}", f"body.{index}") for index in range(depth)]
    for theirs, ours in names:
        if not state.has(f"{theirs}.conv0.weight"):
            state.move(f"{theirs}.conv3x3", ours)
            continue
        state.move(f"{theirs}.conv0", f"{ours}.expand")
        state.move(f"{theirs}.conv1", f"{ours}.squeeze")
        inputs, outputs = state.peek(f"{theirs}.conv0.weight").shape[1], len(state.peek(f"{theirs}.conv1.weight"))
        if state.has(f"{theirs}.conv1_res.weight"):
            state.move(f"{theirs}.conv1_res", f"{ours}.skip")
        elif inputs != outputs:  # the form without a 1×1 skip is one whose skip is zero
            state.result[f"{ours}.skip.weight"] = torch.zeros(outputs, inputs, 1, 1)
            state.result[f"{ours}.skip.bias"] = torch.zeros(outputs)
    last = "transition.0.conv1.weight" if everywhere else "transition.0.conv3x3.weight"
    body = "backbone.0.conv1.weight" if in_body else "backbone.0.conv3x3.weight"
    options: dict[str, Any] = {
        "scale": state.scale_from(len(state.peek(last))),
        "width": len(state.peek(body)),
        "depth": depth,
        "rep_conv": "all" if everywhere else "backbone" if in_body else "none",
    }
    if in_body:
        options["expansion"] = len(state.peek("backbone.0.conv0.weight"))
    return options


def _is_rtsrn(tensors: _Tensors) -> bool:
    return {"head.0.weight", "body.0.weight", "upsample.0.weight"} <= set(tensors)


def _rtsrn(state: Conversion) -> dict[str, Any]:
    # Without modules for ReLU between them the convolutions are numbered in a row: the linear slip.
    linear = state.has("body.1.weight")
    step = 1 if linear else 2
    depth = 0
    while state.has(f"body.{depth * step}.weight"):
        state.move(f"body.{depth * step}", f"body.{depth}")
        depth += 1
    state.move("head.0", "head")
    state.move("upsample.0", "tail")
    width = len(state.peek("head.0.weight"))
    scale = state.scale_from(len(state.peek("upsample.0.weight")))
    return {"scale": scale, "width": width, "depth": depth, "linear": linear}


# -- ETDS and SPAN ----------------------------------------------------------------------------------------------------


def _is_etds(tensors: _Tensors) -> bool:
    return {"conv_first.weight", "conv_residual_first.weight", "add_residual_convs.0.weight"} <= set(tensors)


def _etds(state: Conversion) -> dict[str, Any]:
    depth = state.count("backbone_convs.{}.weight")
    state.move("conv_first", "head.across")
    state.move("conv_residual_first", "head.along")
    for index in range(depth):
        state.move(f"backbone_convs.{index}", f"body.{index}.features")
        state.move(f"add_residual_convs.{index}", f"body.{index}.across")
        state.move(f"residual_convs.{index}", f"body.{index}.along")
    state.move("conv_last", "tail.features")
    state.move("conv_residual_last", "tail.across")
    image_width = len(state.peek("conv_residual_first.weight"))
    return {
        "scale": state.scale_from(len(state.peek("conv_last.weight"))),
        "width": len(state.peek("conv_first.weight")) + image_width,
        "depth": depth,
        "image_width": image_width,
    }


def _is_span(tensors: _Tensors) -> bool:
    return {"block_1.c1_r.sk.weight", "conv_cat.weight", "upsampler.0.weight"} <= set(tensors)


def _span(state: Conversion) -> dict[str, Any]:
    names = {"conv_1": "head", "conv_2": "last"}
    depth = sum(state.has(f"block_{number}.c1_r.sk.weight") for number in range(1, 33))
    for number in range(1, depth + 1):
        for theirs, ours in (("c1_r", "first"), ("c2_r", "second"), ("c3_r", "third")):
            names[f"block_{number}.{theirs}"] = f"body.{number - 1}.{ours}"
    for theirs, ours in names.items():
        for part, place in (("conv.0", "expand"), ("conv.1", "middle"), ("conv.2", "squeeze"), ("sk", "skip")):
            state.move(f"{theirs}.{part}", f"{ours}.{place}")
        for part in ("weight", "bias"):  # the collapsed twin, made again from the factors
            if state.has(f"{theirs}.eval_conv.{part}"):
                state.take(f"{theirs}.eval_conv.{part}")
    state.move("conv_cat", "fuse")
    state.move("upsampler.0", "tail")
    width = len(state.peek("conv_cat.weight"))
    return {"scale": state.scale_from(len(state.peek("upsampler.0.weight"))), "width": width, "depth": depth}


SOURCES = (
    Source(
        name="NCNet (torch)", repository="Algolzw/NCNet", network="ncnet", matches=_is_ncnet, convert=_ncnet,
        note="the torch port does not clip; the network does",
    ),
    Source(
        name="ABPN of ETDS", repository="ECNUSR/ETDS", network="abpn", matches=_is_abpn, convert=_abpn,
        note="trained on 0..1: the biases were made 255 times as large. This port does not clip; the network does",
    ),
    Source(
        name="ABPNRelease", repository="quic/aimet-model-zoo", network="abpn", matches=_is_aimet_abpn,
        convert=_aimet_abpn,
    ),
    Source(
        name="XLSR", repository="cxzhou95/XLSR", network="xlsr", matches=_is_xlsr, convert=_xlsr,
        note="trained on blue, green, red: the first and last layers were turned to red, green, blue",
    ),
    Source(
        name="XLSRRelease", repository="quic/aimet-model-zoo", network="xlsr", matches=_is_aimet_xlsr,
        convert=_aimet_xlsr,
    ),
    Source(
        name="SESRRelease", repository="quic/aimet-model-zoo", network="sesr", matches=_is_sesr, convert=_sesr,
        note="this port has a ReLU after the first layer and does not take off a half (form aimet); it does not clip, "
        "the network does",
    ),
    Source(
        name="LRSRN (plainRepConv)", repository="Ganzooo/LRSRN", network="lrsrn", matches=_is_lrsrn, convert=_lrsrn,
        ignored=("*.w0", "*.b0", "*.w1", "*.b1"),  # second names of conv0 and conv1
        note="taken to have ReLU and no residual in image space, as submitted: keys do not tell GELU or "
        "PlainRepConv_st01, which were candidates",
    ),
    Source(name="RTSRN", repository="Ganzooo/LRSRN", network="rtsrn", matches=_is_rtsrn, convert=_rtsrn),
    Source(name="ETDS", repository="ECNUSR/ETDS", network="etds", matches=_is_etds, convert=_etds),
    Source(name="SPAN", repository="hongyuanyu/SPAN", network="span", matches=_is_span, convert=_span),
)  # fmt: skip
