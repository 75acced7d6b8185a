"""Key names of the cascading and Fourier networks: CARN, CARN-M, PCARN, PCARN-M, F2SRGAN and its students."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pocketsr.blocks.mean_shift import DIV2K_MEAN
from pocketsr.errors import CheckpointError
from pocketsr.importing.conversion import Conversion, Source

_Tensors = Mapping[str, Tensor]
#: Ranges that QAT wrappers watched; the weights beside them are the float ones.
_OBSERVERS = ("*.x_min", "*.x_max", "*.beta", "*.beta_t")


def _means(state: Conversion, layer: str, white: int) -> None:
    """Take the fixed layers that shift colours by DIV2K's mean, which our networks have as constants."""
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        key = f"{name}{layer}"
        state.check_frozen(f"{key}.weight", torch.eye(3).reshape(3, 3, 1, 1), "an identity")
        state.check_frozen(f"{key}.bias", torch.tensor(DIV2K_MEAN) * (sign * white), "DIV2K's mean")


# -- CARN and PCARN ---------------------------------------------------------------------------------------------------


def _is_carn(tensors: _Tensors) -> bool:
    return {"entry.weight", "b1.c1.body.0.weight", "exit.weight"} <= set(tensors)


def _is_pcarn(tensors: _Tensors) -> bool:
    return {"entry.weight", "b1.c1.weight", "exit.weight"} <= set(tensors)


def _carn(state: Conversion) -> dict[str, Any]:
    # CARN wraps its layers into Sequentials and lists a shared block once; PCARN names them, and lists it three times.
    wrapped = state.has("b1.c1.body.0.weight")
    suffix = ".body.0" if wrapped else ""
    residual = {"first": "body.0", "second": "body.2", "mix": "body.4"} if wrapped else _PCARN_LAYERS
    mobile = state.has(f"b1.b1.{residual['mix']}.weight")
    shared = mobile and (not state.has(f"b1.b2.{residual['first']}.weight") or _are_stored_thrice(state, residual))
    for number in (1, 2, 3):
        block = f"body.blocks.{number - 1}"
        for place in (1, 2, 3):
            for ours, theirs in residual.items():
                key = f"b{number}.b{place}.{theirs}"
                if shared and place > 1:
                    _drop(state, key)
                elif ours != "mix" or mobile:
                    state.move(key, f"{block}.blocks.{place - 1}.{ours}")
            state.move(f"b{number}.c{place}{suffix}", f"{block}.fusions.{place - 1}")
        state.move(f"c{number}{suffix}", f"body.fusions.{number - 1}")
    state.move("entry", "head")
    state.move("exit", "tail")
    _means(state, ".shifter", 1)
    scales = _upsamplers(state)
    groups = 64 // state.peek(f"b1.b1.{residual['first']}.weight").shape[1] if mobile else 1
    options: dict[str, Any] = {"scale": state.scale or max(scales), "groups": groups, "recursive": shared}
    if len(scales) > 1:
        options["scales"] = scales
    return {**options, "fusion_relu": wrapped, "long_skip": not wrapped}


_PCARN_LAYERS = {"first": "conv1", "second": "conv2", "mix": "pw"}


def _are_stored_thrice(state: Conversion, residual: Mapping[str, str]) -> bool:
    """Whether the three residual blocks of every cascade are one, in every tensor."""
    parts = [f"{layer}.{part}" for layer in residual.values() for part in ("weight", "bias")]
    return all(
        torch.equal(state.peek(f"b{number}.b1.{part}"), state.peek(f"b{number}.b{place}.{part}"))
        for number in (1, 2, 3)
        for place in (2, 3)
        for part in parts
    )


def _drop(state: Conversion, key: str) -> None:
    for part in ("weight", "bias"):
        if state.has(f"{key}.{part}"):
            state.take(f"{key}.{part}")


def _upsamplers(state: Conversion) -> list[int]:
    """Move the upsamplers and return their scales; a network of one scale has ``up`` and tells it by its width."""
    if state.has("upsample.up.body.0.weight"):
        width = len(state.peek("upsample.up.body.0.weight"))
        scale = 3 if width == 576 else 4 if state.has("upsample.up.body.3.weight") else 2
        names = {scale: "up"}
    else:
        names = {scale: f"up{scale}" for scale in (2, 3, 4) if state.has(f"upsample.up{scale}.body.0.weight")}
    if not names:
        raise CheckpointError(
            "the checkpoint has a body of CARN and no upsampler of the released code (convolutions before the pixel "
            "shuffles, upsample.up.body.0 or upsample.up2.body.0)"
        )
    for scale, name in names.items():
        for index in range(2 if scale == 4 else 1):
            state.move(f"upsample.{name}.body.{3 * index}", f"upsamplers.{scale}.convs.{index}")
    return list(names)


# -- F2SRGAN ----------------------------------------------------------------------------------------------------------


def _is_teacher(tensors: _Tensors) -> bool:
    return {"initial.0.0.weight", "residual.0.block1.0.convl2l.0.weight"} <= set(tensors)


def _is_student(tensors: _Tensors) -> bool:
    return {"initial.0.0.weight", "residual1.0.block1.0.0.weight", "residual2.1.block2.0.0.weight"} <= set(tensors)


def _teacher(state: Conversion) -> dict[str, Any]:
    depth = 0
    while state.has(f"residual.{depth}.block2.0.0.weight"):
        _block(state, f"residual.{depth}", f"body.{depth}")
        depth += 1
    return {"scale": _ends(state), "depth": depth}


def _student(state: Conversion) -> dict[str, Any]:
    for pair in (1, 2):
        for place in (0, 1):
            _block(state, f"residual{pair}.{place}", f"body.{2 * (pair - 1) + place}")
    inner = len(state.peek("residual1.0.block1.1.weight"))
    return {"scale": _ends(state), "inner": inner, "depth": 8, "tied": True, "fourier": False}


def _ends(state: Conversion) -> int:
    _separable(state, "initial.0", "head")
    doublings = 0
    while state.has(f"upsampler.{3 * doublings}.0.weight"):
        _separable(state, f"upsampler.{3 * doublings}", f"enlarge.{doublings}.conv")
        state.move(f"upsampler.{3 * doublings + 2}", f"enlarge.{doublings}.activation")
        doublings += 1
    _separable(state, "final_conv", "tail")
    _means(state, "", 255)
    return int(2**doublings)


def _block(state: Conversion, theirs: str, ours: str) -> None:
    if state.has(f"{theirs}.block1.0.convl2l.0.weight"):
        _fourier(state, f"{theirs}.block1.0", f"{ours}.first")
    else:
        _separable(state, f"{theirs}.block1.0", f"{ours}.first")
    state.move(f"{theirs}.block1.1", f"{ours}.activation")
    _separable(state, f"{theirs}.block2.0", f"{ours}.second")


def _fourier(state: Conversion, theirs: str, ours: str) -> None:
    for short, long in (("l2l", "local_to_local"), ("g2l", "global_to_local"), ("l2g", "local_to_global")):
        _separable(state, f"{theirs}.conv{short}", f"{ours}.{long}")
    theirs, ours = f"{theirs}.convg2g", f"{ours}.global_to_global"
    _separable(state, f"{theirs}.conv1.0", f"{ours}.narrow")
    _separable(state, f"{theirs}.conv2", f"{ours}.widen")
    for name, unit in (("fu", "whole"), ("lfu", "quadrants")):
        weight = state.take(f"{theirs}.{name}.complex_weight")  # (C, C, 1, 1, 2)
        state.result[f"{ours}.{unit}.weight"] = weight.reshape(*weight.shape[:2], 2)


def _separable(state: Conversion, theirs: str, ours: str) -> None:
    state.move(f"{theirs}.0", f"{ours}.depthwise")
    state.move(f"{theirs}.1", f"{ours}.pointwise")


SOURCES = (
    Source(
        name="CARN, CARN-M", repository="nmhkahn/CARN-pytorch", network="carn", matches=_is_carn, convert=_carn,
    ),
    Source(
        name="PCARN, PCARN-M", repository="nmhkahn/PCARN-pytorch", network="pcarn", matches=_is_pcarn, convert=_carn,
    ),
    Source(
        name="F2SRGAN (teacher)", repository="bibom108/F2SRGAN", network="f2srgan", matches=_is_teacher,
        convert=_teacher, ignored=_OBSERVERS,
    ),
    Source(
        name="F2SRGAN student, Light F2SRGAN", repository="khanhhungvu1508/Light-F2SRGAN", network="f2srgan-student",
        matches=_is_student, convert=_student, ignored=("residual3.*", "residual4.*", *_OBSERVERS),
        note="as its forward ran: the second pair of blocks three times, the stored third and fourth pair never. The "
        "published file of Light F2SRGAN holds a whole module too, which is not read: save what is under 'model' alone",
    ),
)  # fmt: skip
