from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketsr.bench.contender import Asked, Contender, LocalContender, ProcessContender, described
from pocketsr.bench.measure import measure
from pocketsr.bench.record import Correctness
from pocketsr.bench.sizes import Size
from pocketsr.bench.worker import serve
from pocketsr.errors import ModelFileError, SettingError
from pocketsr.graph.tflite import write_model
from pocketsr.spec import ModelSpec
from sample_graphs import abpn_like_graph, spec_for


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    graph = abpn_like_graph(channels=4, depth=1)
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    write_model(graph, spec_for(graph), path)
    return Asked(model=str(path), backend="litert", threads=1)


@pytest.fixture(params=[LocalContender, ProcessContender])
def contender(request: pytest.FixtureRequest, asked: Asked) -> Iterator[Contender]:
    made: Contender = request.param(asked)
    yield made
    made.close()


def test_a_contender_is_loaded_timed_compared_and_weighed(contender: Contender) -> None:
    milliseconds, spec = contender.load()
    assert milliseconds > 0
    assert spec == spec_for(abpn_like_graph(channels=4, depth=1))
    assert contender.prepare((8, 9), 1) > 0
    assert len(contender.run(3)) == 3
    memory = contender.peak_memory_mb()
    assert memory is None or 10 < memory < 100_000
    assert contender.compare() == Correctness(
        height=32, width=48, is_identical=True, largest_levels=0, different=0.0
    )  # fmt: skip


@pytest.mark.parametrize("kind", [LocalContender, ProcessContender])
def test_an_error_crosses_the_border_as_what_it_is(kind: type[Contender]) -> None:
    contender = kind(Asked(model="nowhere/none.tflite", backend="litert", threads=1))  # type: ignore[call-arg]
    with pytest.raises(ModelFileError, match=r"there is no model file nowhere/none\.tflite"):
        contender.load()
    contender.close()


def test_a_process_that_dies_is_told_with_its_last_words(asked: Asked) -> None:
    contender = ProcessContender(asked)
    contender._process.kill()
    with pytest.raises(ModelFileError, match="ended without an answer: exit code -9"):
        contender.load()
    contender.close()


def test_luma_is_fed_grey(tmp_path: Path) -> None:
    from sample_graphs import random_chain

    graph = random_chain(widths=[3], relus=[False], kernels=[3], precision="float32", seed=0)
    write_model(graph, spec_for(graph), tmp_path / "m.tflite")
    contender = LocalContender(Asked(model=str(tmp_path / "m.tflite"), backend="litert", threads=1))
    contender.load()
    contender.prepare((8, 8), 0)
    assert contender._frame.shape == (8, 8, 3)
    found = contender.compare()
    assert found is not None
    assert found.largest_levels <= 1


def test_an_onnx_file_is_compared_with_what_it_was_written_from_and_with_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx_bytes = pytest.importorskip("pocketsr.lower.onnx").onnx_bytes
    graph = abpn_like_graph(channels=4, depth=1)
    (tmp_path / "m.onnx").write_bytes(onnx_bytes(graph, spec_for(graph)))
    asked = Asked(model=str(tmp_path / "m.onnx"), backend="onnxruntime", threads=1)
    contender = LocalContender(asked)
    contender.load()
    assert contender.compare() is None
    write_model(graph, spec_for(graph), tmp_path / "m.tflite")
    found = contender.compare()
    assert found is not None
    assert found.largest_levels <= 2
    write_model(graph, dataclasses.replace(spec_for(graph), name="another"), tmp_path / "m.tflite")
    assert contender.compare() is None


def test_a_worker_answers_every_line(asked: Asked) -> None:
    words = [{"word": "load"}, {"word": "prepare", "size": [0, 4], "warm_up": 0}, {"word": "memory"}]
    made = io.StringIO()
    serve(LocalContender(asked), [json.dumps(word) + "\n" for word in words], made)
    answers = [json.loads(line) for line in made.getvalue().splitlines()]
    assert [sorted(answer) for answer in answers] == [["ms", "spec"], ["error", "kind"], ["mb"]]
    assert answers[1]["kind"] == "SettingError"


class Fake(Contender):
    """Takes a millisecond a pixel of input, and keeps account of who was asked what."""

    def __init__(self, name: str, model: str, log: list[str]) -> None:
        self.asked, self._log = Asked(model=model, backend=name, threads=1), log
        self._size: Size = (1, 1)

    def load(self) -> tuple[float, ModelSpec]:
        self._log.append(f"{self.asked.backend} load")
        return 5.0, spec_for(abpn_like_graph())

    def prepare(self, size: Size, warm_up: int) -> float:
        self._log.append(f"{self.asked.backend} {size} {warm_up}")
        self._size = size
        return 100.0

    def run(self, count: int) -> list[float]:
        self._log.append(f"{self.asked.backend} run {count}")
        return [float(self._size[0] * self._size[1])] * count

    def compare(self) -> Correctness | None:
        self._log.append(f"{self.asked.backend} compare")
        return None

    def peak_memory_mb(self) -> float | None:
        self._log.append(f"{self.asked.backend} memory")
        return None

    def close(self) -> None:
        pass


def test_contenders_take_turns_and_memory_is_asked_before_the_reference_needs_some(asked: Asked) -> None:
    log: list[str] = []
    steps: list[str] = []
    fakes = [Fake(name, asked.model, log) for name in "ab"]
    found = measure(fakes, ["2x3", "3x3"], runs=3, rounds=2, warm_up=7, on_step=steps.append)
    assert log[:4] == ["a load", "b load", "a (2, 3) 7", "b (2, 3) 7"]
    assert log[4:8] == ["a run 2", "b run 2", "a run 1", "b run 1"]
    assert log[-4:] == ["a memory", "a compare", "b memory", "b compare"]
    assert [figures.timing.median_ms for figures in found[0].sizes] == [6.0, 9.0]
    assert found[1].sizes[0].first_run_ms == 100.0
    assert found[1].sizes[0].output_megapixels_per_s == pytest.approx(2 * 3 * 9 / 1e6 / 6e-3)
    assert (found[0].backend, found[0].load_ms, found[0].correctness) == ("a", 5.0, None)
    assert any("round 2 of 2" in step for step in steps)
    with pytest.raises(SettingError, match="HEIGHTxWIDTH"):
        measure(fakes, ["big"], runs=1)


def test_a_model_is_described_with_its_hash(asked: Asked) -> None:
    import hashlib

    found = described(asked, spec_for(abpn_like_graph()))
    assert found.sha256 == hashlib.sha256(Path(asked.model).read_bytes()).hexdigest()
    assert (found.scale, found.precision) == (3, "int8")
