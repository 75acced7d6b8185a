from __future__ import annotations

import numpy as np
import pytest

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.runtime import BACKENDS, find_backend
from pocketsr.runtime.backend import MOST_THREADS, checked_threads, usable_cores
from pocketsr.runtime.backends.reference import ReferenceSession
from pocketsr.spec import ModelSpec, Precision
from sample_graphs import abpn_like_graph

_BYTES = np.arange(256, dtype=np.uint8)


def _spec(precision: Precision, value_range: int = 255, size_multiple: int = 1) -> ModelSpec:
    return ModelSpec(
        name="test",
        network="test",
        scale=3,
        precision=precision,
        receptive_field=4,
        value_range=value_range,
        size_multiple=size_multiple,
    )


def test_threads_default_to_the_usable_cores() -> None:
    assert checked_threads(None) == usable_cores()
    assert [checked_threads(count) for count in (1, MOST_THREADS)] == [1, MOST_THREADS]


@pytest.mark.parametrize("threads", [-1, 0, MOST_THREADS + 1, 100_000])
def test_threads_that_no_machine_has_are_refused(threads: int) -> None:
    with pytest.raises(SettingError, match=f"from 1 to {MOST_THREADS}, not {threads}"):
        checked_threads(threads)


def test_an_unknown_backend_is_answered_with_the_known_ones() -> None:
    assert find_backend("litert") is BACKENDS[0]
    known = "known: auto, fast, litert, onnxruntime, onnxruntime-cuda, openvino, reference"
    with pytest.raises(UnknownNameError, match=known):
        find_backend("cuda")


def _session(size_multiple: int = 1) -> ReferenceSession:
    return ReferenceSession(abpn_like_graph(), _spec("int8", size_multiple=size_multiple))


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 1), np.uint8),
    ],
    ids=str,
)
def test_a_session_says_what_batch_it_takes(batch: np.ndarray) -> None:
    with pytest.raises(SettingError, match=r"takes uint8 \(1, H, W, 3\), not"):
        _session()(batch)


def test_a_session_refuses_sides_that_are_no_multiple_and_empty_ones() -> None:
    with pytest.raises(SettingError, match="multiples of 4, not 4×6"):
        _session(4)(np.zeros((1, 4, 6, 3), np.uint8))
    with pytest.raises(SettingError, match="0×4"):
        _session()(np.zeros((1, 0, 4, 3), np.uint8))


def test_a_session_refuses_an_output_of_another_shape_or_type() -> None:
    batch = np.zeros((1, 4, 4, 3), np.uint8)
    for out in (np.zeros((1, 12, 11, 3), np.uint8), np.zeros((1, 12, 12, 3), np.int8)):
        with pytest.raises(SettingError, match=r"uint8 \(1, 12, 12, 3\)"):
            _session()(batch, out=out)  # type: ignore[arg-type]


def test_a_session_writes_into_the_output_it_is_given() -> None:
    batch = np.random.default_rng(0).integers(0, 256, (1, 5, 4, 3), np.uint8)
    canvas = np.zeros((1, 20, 30, 3), np.uint8)
    part = canvas[:, 2:17, 3:15]
    assert _session()(batch, out=part) is part
    assert np.array_equal(canvas[:, 2:17, 3:15], _session()(batch))
    assert canvas[:, :2].sum() == canvas[:, 17:].sum() == canvas[:, :, :3].sum() == canvas[:, :, 15:].sum() == 0
