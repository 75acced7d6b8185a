"""What a word on the command line stands for, where no other test of a verb says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pocketsr.cli.resolve import resolve
from sample_graphs import abpn_like_graph, spec_for

pytest.importorskip("onnxruntime")


def test_an_onnx_file_is_judged_like_a_model_file_without_counts(tmp_path: Path) -> None:
    from pocketsr.graph.tflite import write_model
    from pocketsr.lower.onnx import onnx_bytes

    graph = abpn_like_graph(precision="float32")
    (tmp_path / "m.onnx").write_bytes(onnx_bytes(graph, spec_for(graph)))
    write_model(graph, spec_for(graph), tmp_path / "m.tflite")
    found, other = (resolve(str(tmp_path / f"m.{kind}"), None, "auto", 1) for kind in ("onnx", "tflite"))
    assert (found.scale, found.channels, found.facts["precision"]) == (3, 3, "float32")
    assert "parameters" not in found.facts
    assert other.facts["parameters"] == graph.parameter_count()
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    assert np.abs(found.upscale(image).astype(int) - other.upscale(image)).max() <= 1
