"""Model files whose tables are whole and whose numbers are not: what chance with bytes seldom makes."""

from __future__ import annotations

import random
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_SCALES = (0.0, -1.0, 1e-45, 1e-38, 1e-20, 1e-6, 1 / 256, 1.0, 3.0, 1000.0, 1e20, 3e38, float("inf"), float("nan"))
_SMALL = (-1, 0, 1, 2, 3, 4, 5, 7, 8, 12, 64, 127, 255)


def spoilt(data: bytes, seed: int) -> bytes:
    """Return the model with one to three of its numbers changed; packed again, so that every offset is right."""
    dice = random.Random(seed)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for _ in range(dice.choice((1, 1, 2, 3))):
        dice.choice((_tensor, _tensor, _operator, _operator, _options, _options, _weights, _order))(model, dice)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, dice: random.Random) -> None:
    tensor = dice.choice(model.subgraphs[0].tensors)
    quantisation = tensor.quantization
    match dice.randrange(6):
        case 0 if tensor.shape is not None and len(tensor.shape):
            shape = [int(side) for side in tensor.shape]
            shape[dice.randrange(len(shape))] = dice.choice((*_SMALL, 2**31 - 1))
            tensor.shape = shape
        case 1 if quantisation is not None and quantisation.scale is not None:
            scales = np.array(quantisation.scale, np.float32)
            scales[dice.randrange(len(scales))] = dice.choice(_SCALES)
            quantisation.scale = scales
        case 2 if quantisation is not None and quantisation.zeroPoint is not None:
            points = np.array(quantisation.zeroPoint, np.int64)
            points[dice.randrange(len(points))] = dice.choice((*_SMALL, -128, -129, 2**40))
            quantisation.zeroPoint = points
        case 3 if quantisation is not None:
            quantisation.quantizedDimension = dice.choice((*_SMALL, 2**31 - 1))
            quantisation.scale = dice.choice((quantisation.scale, np.ones(dice.choice((1, 2, 300)), np.float32)))
        case 4:
            tensor.type = dice.randrange(19)
        case _:
            tensor.buffer = dice.randrange(len(model.buffers))


def _operator(model: Any, dice: random.Random) -> None:
    subgraph = model.subgraphs[0]
    operator = dice.choice(subgraph.operators)
    indices = [*range(len(subgraph.tensors)), -1]
    match dice.randrange(5):
        case 0:
            operator.inputs = [dice.choice(indices) for _ in range(dice.randrange(5))]
        case 1:
            changed = [int(index) for index in operator.inputs]
            changed[dice.randrange(len(changed))] = dice.choice(indices)
            operator.inputs = changed
        case 2:
            operator.outputs = [dice.choice(indices)]
        case 3:
            operator.opcodeIndex = dice.randrange(len(model.operatorCodes))
        case _:
            dice.choice(model.operatorCodes).version = dice.choice((0, 1, 2, 3, 4, 5, 99))


def _options(model: Any, dice: random.Random) -> None:
    options = dice.choice(model.subgraphs[0].operators).builtinOptions
    if options is not None and vars(options):
        name = dice.choice(list(vars(options)))
        is_switch = isinstance(getattr(options, name), bool)
        value = dice.random() < 0.5 if is_switch else dice.choice([small for small in _SMALL if 0 <= small < 128])
        setattr(options, name, value)


def _weights(model: Any, dice: random.Random) -> None:
    """Fill a constant: shapes, axes and amounts are constants, too."""
    buffer = dice.choice(model.buffers)
    if buffer.data is not None and len(buffer.data) >= 4:
        words = np.array(buffer.data, np.uint8)
        whole = len(words) // 4 * 4
        at = dice.randrange(0, whole, 4)
        number = dice.choice((np.int32(dice.choice((*_SMALL, -(2**31), 2**31 - 1))), np.float32(dice.choice(_SCALES))))
        words[at : at + 4] = np.frombuffer(number.tobytes(), np.uint8)
        buffer.data = words


def _order(model: Any, dice: random.Random) -> None:
    operators = model.subgraphs[0].operators
    match dice.randrange(3):
        case 0:
            dice.shuffle(operators)
        case 1:
            operators.append(dice.choice(operators))
        case _:
            del operators[dice.randrange(len(operators))]
