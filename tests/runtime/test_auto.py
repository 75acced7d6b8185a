"""The rule behind ``auto`` and ``fast``, on backends that are made of the reference and a clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pocketsr.errors import MissingExtraError, ModelFileError
from pocketsr.runtime import find_backend
from pocketsr.runtime.auto import AutoBackend
from pocketsr.runtime.backend import Backend, Pixels, Session
from pocketsr.runtime.backends.litert import LiteRTSession
from sample_graphs import abpn_like_graph, spec_for


class Clock:
    """Time that passes only when a session runs."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Timed(Backend):
    """Takes a stated time a frame, or fails in a stated way."""

    def __init__(self, clock: Clock, seconds: float, *, at_load: Exception | None = None, runs: bool = True) -> None:
        self.name, self._clock, self._seconds = f"{seconds} s", clock, seconds
        self._at_load, self._runs = at_load, runs

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        del threads
        if self._at_load is not None:
            raise self._at_load
        return TimedSession(self, path)


class TimedSession(Session):
    def __init__(self, backend: Timed, path: Path) -> None:
        super().__init__(spec_for(abpn_like_graph()))
        self.backend, self.path = backend, path

    def _run(self, batch: Pixels, out: Pixels) -> None:
        del batch
        if not self.backend._runs:
            raise ModelFileError("no such operator")
        self.backend._clock.now += self.backend._seconds
        out[...] = 0


def _chosen(path: str = "m.tflite", **options: Backend | tuple[Backend, ...]) -> Backend:
    clock = Clock()
    exact = Timed(clock, 1.0)
    given = {"onnx": Timed(clock, 5.0), "exact": exact, **options}
    for one in given.get("quicker", ()):  # type: ignore[union-attr]
        one._clock = clock  # type: ignore[union-attr]
    session = AutoBackend("auto", clock=clock, **given).load(Path(path))  # type: ignore[arg-type]
    assert isinstance(session, TimedSession)
    return session.backend


def test_auto_takes_the_exact_backend_and_onnxruntime_for_onnx() -> None:
    assert _chosen().name == "1.0 s"
    assert _chosen("m.onnx").name == "5.0 s"


@pytest.mark.parametrize(("seconds", "chosen"), [(0.5, "0.5 s"), (0.95, "1.0 s"), (2.0, "1.0 s")])
def test_fast_takes_another_only_where_it_is_clearly_quicker(seconds: float, chosen: str) -> None:
    assert _chosen(quicker=(Timed(Clock(), seconds),)).name == chosen


@pytest.mark.parametrize("error", [MissingExtraError.for_extra("openvino", "openvino"), ModelFileError("no")])
def test_what_is_not_installed_or_cannot_read_the_file_is_left_out(error: Exception) -> None:
    assert _chosen(quicker=(Timed(Clock(), 0.1, at_load=error),)).name == "1.0 s"


def test_what_reads_the_file_but_cannot_run_it_is_left_out() -> None:
    assert _chosen(quicker=(Timed(Clock(), 0.1, runs=False),)).name == "1.0 s"


def test_the_error_of_the_exact_backend_is_told() -> None:
    with pytest.raises(ModelFileError, match="none"):
        find_backend("fast").load(Path("none.tflite"))


def test_auto_is_litert(tmp_path: Path) -> None:
    from pocketsr.graph.tflite import write_model

    graph = abpn_like_graph()
    write_model(graph, spec_for(graph), tmp_path / "m.tflite")
    session = find_backend("auto").load(tmp_path / "m.tflite", threads=1)
    assert isinstance(session, LiteRTSession)
    batch = np.zeros((1, 8, 8, 3), np.uint8)
    assert np.array_equal(session(batch), find_backend("litert").load(tmp_path / "m.tflite", threads=1)(batch))


def test_fast_tries_a_graphics_card_for_onnx_files_and_keeps_the_processor_without_one() -> None:
    clock = Clock()
    usual, quick = Timed(clock, 5.0), Timed(clock, 1.0)
    absent = Timed(clock, 0.1, at_load=MissingExtraError("no NVIDIA device"))
    for others, expected in (((absent, quick), quick), ((absent,), usual), ((Timed(clock, 4.8),), usual)):
        chooser = AutoBackend("fast", onnx=usual, exact=Timed(clock, 1.0), quicker_onnx=others, clock=clock)
        session = chooser.load(Path("m.onnx"))
        assert isinstance(session, TimedSession)
        assert session.backend is expected
    assert [one.name for one in find_backend("fast")._quicker_onnx] == ["onnxruntime-cuda"]  # type: ignore[attr-defined]
    assert find_backend("auto")._quicker_onnx == ()  # type: ignore[attr-defined]
