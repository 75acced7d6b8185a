"""Weights rounded to 8 bits one after the other, each making up for the errors of those before.

    for each input weight j:   q_j = round(w_j / s) · s,   w_k ← w_k − (w_j − q_j) · U_jk / U_jj   for all k > j
    U: upper Cholesky factor of the inverse of E[x xᵀ], x the inputs of the layer and a one for its bias

Rounded each by itself, hundreds of weights of one sum err together: where inputs are pixels, all large and much
alike, a layer's outputs are off by whole levels, in flat areas everywhere by the same. What one weight errs, others can
give back as far as their inputs go along with its own; the bias, which is not rounded to 8 bits, comes last and takes
the mean.

Source:
    Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023,
    Algorithm 1, with inputs in descending order of their energy. The bias as one more input and the largest weight of
    an output held at ±127, which keeps the grid, are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pocketsr.compress.scales import interpolates
from pocketsr.graph import Conv2D, Graph
from pocketsr.graph.base import Array
from pocketsr.graph.reference import execute_all

#: Images that are looked at, of all those given, and places of each.
_IMAGES, _PLACES = 24, 2000
#: Added to the energy of every input, as a share of their average: keeps the inverse tame where inputs are alike. Not
#: to that of the bias: its one is small beside pixels, and damped as they are it would give back next to nothing.
_DAMPING = 0.01
#: So much every energy is at least, for inputs that are never seen.
_LEAST = 1e-12
_HIGHEST = 127


def compensated(graph: Graph, images: Iterable[Array]) -> Graph:
    """Return a float graph whose weights are multiples of their 8-bit steps, outputs kept as near as can be.

    Before: a float graph. After: each output channel's largest weight is unchanged, so that its step is what
    quantising takes; all others are whole numbers of steps; biases have moved. Copies of channels stay as they are, and
    convolutions that only enlarge an image: with other sums than 1 they would be taken for signed values (``scales``).

    Args:
        graph: A float graph.
        images: Representative images, uint8 ``(H, W, C)``, of which 24 are looked at; a layer whose kernel is larger
            than an image leaves that out. Without any, nothing is changed.
    """
    representative = list(images)
    if not representative:
        return graph
    moments = _moments(graph, representative[:: -(-len(representative) // _IMAGES)])
    ops = tuple(
        _compensated(op, moments[op.output.name]) if op.output.name in moments and isinstance(op, Conv2D) else op
        for op in graph.ops
    )
    return dataclasses.replace(graph, ops=ops)


def _moments(graph: Graph, images: Sequence[Array]) -> dict[str, list[Array]]:
    """Return E[x xᵀ] of each convolution's inputs, with a one behind them, for each of its groups."""
    convolutions = [op for op in graph.ops if isinstance(op, Conv2D) and not op.is_copy and not interpolates(op)]
    moments: dict[str, list[Array]] = {}
    for op in convolutions:
        size = op.weight[0].size + 1
        moments[op.output.name] = [np.zeros((size, size)) for _ in range(op.groups)]
    random = np.random.default_rng(0)
    for image in images:
        arrays = execute_all(graph, image[None].astype(np.float32))
        for op in convolutions:
            array = arrays[op.inputs[0].name][0]
            if array.shape[0] < op.weight.shape[1] or array.shape[1] < op.weight.shape[2]:
                continue
            for moment, inputs in zip(moments[op.output.name], _inputs(op, array, random), strict=True):
                moment += inputs.T @ inputs
    return moments


def _inputs(op: Conv2D, array: Array, random: np.random.Generator) -> list[Array]:
    """Return what a convolution's weights meet at some places within its input ``(H, W, C)``.

    For each group ``(places, kh · kw · I + 1)``, a one behind the inputs.
    """
    height, width = op.weight.shape[1:3]
    windows = sliding_window_view(array, (height, width), axis=(0, 1))  # (H', W', C, kh, kw)
    places = random.integers(0, windows.shape[:2], (_PLACES, 2))
    met = windows[places[:, 0], places[:, 1]].transpose(0, 2, 3, 1).astype(np.float64)  # (places, kh, kw, C)
    parts = np.split(met, op.groups, axis=3)
    return [np.concatenate([part.reshape(_PLACES, -1), np.ones((_PLACES, 1))], axis=1) for part in parts]


def _compensated(op: Conv2D, moments: list[Array]) -> Conv2D:
    weights, biases = [], []
    outputs = len(op.weight) // op.groups
    for group, moment in enumerate(moments):
        own = slice(group * outputs, (group + 1) * outputs)
        rows = op.weight[own].reshape(outputs, -1)
        weight, bias = _rounded(rows.astype(np.float64), op.bias[own].astype(np.float64), moment)
        weights.append(weight.reshape(op.weight[own].shape))
        biases.append(bias)
    weight = np.concatenate(weights).astype(np.float32)
    return dataclasses.replace(op, weight=weight, bias=np.concatenate(biases).astype(np.float32))


def _rounded(weight: Array, bias: Array, moment: Array) -> tuple[Array, Array]:
    """Round ``(O, K)`` weights for inputs of that second moment ``(K + 1, K + 1)``; return them and ``(O,)`` biases."""
    energy = np.diagonal(moment)[:-1]
    order = np.append(np.argsort(-energy, kind="stable"), len(energy))  # the bias last
    damping = np.append(np.full(len(energy), max(_DAMPING * energy.mean(), _LEAST)), _LEAST)
    moment = moment[np.ix_(order, order)] + np.diag(damping)
    factor = np.linalg.cholesky(np.linalg.inv(moment)).T
    largest = np.abs(weight).max(axis=1)
    step = np.where(largest > 0, largest, 1) / _HIGHEST
    left = np.concatenate([weight, bias[:, None]], axis=1)[:, order]
    is_largest = np.abs(left[:, :-1]) == largest[:, None]
    result = np.empty_like(weight)
    for index, place in enumerate(order[:-1]):
        whole = np.clip(np.rint(left[:, index] / step), -_HIGHEST, _HIGHEST)
        whole = np.where(is_largest[:, index], np.sign(weight[:, place]) * _HIGHEST, whole)
        result[:, place] = whole * step
        lost = (left[:, index] - whole * step) / factor[index, index]
        left[:, index + 1 :] -= lost[:, None] * factor[index, index + 1 :]
    return result, left[:, -1]
