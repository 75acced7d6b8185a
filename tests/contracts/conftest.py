"""Models that tests of the photo contract share."""

from __future__ import annotations

import pytest

from pocketsr.graph.tflite import write_model
from pocketsr.runtime import Upscaler
from sample_graphs import abpn_like_graph, spec_for


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> Upscaler:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    graph = abpn_like_graph(channels=4, depth=1)
    write_model(graph, spec_for(graph), path)
    return Upscaler(path, threads=1)


@pytest.fixture(scope="module")
def bundled() -> Upscaler:
    return Upscaler("abpn-x3", threads=1)
