"""Ways to run a network in torch: the same pixels in each; captures on a stand-in, for want of a GPU."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.gpu import FORMS, make_ready
from pocketsr.gpu.forms import find_form
from pocketsr.networks import build

CPU = torch.device("cpu")
SHAPE = (1, 3, 10, 12)


class FakeCuda:
    """Keeps account of what is asked of ``torch.cuda`` and replays what was captured."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.captured = False

    def Stream(self) -> FakeCuda:  # noqa: N802 - torch's own name
        return self

    def current_stream(self) -> FakeCuda:
        return self

    def wait_stream(self, other: FakeCuda) -> None:
        assert other is self

    @contextlib.contextmanager
    def stream(self, _: FakeCuda) -> Iterator[None]:
        self.said.append("warm")
        yield

    def CUDAGraph(self) -> FakeCuda:  # noqa: N802
        return self

    @contextlib.contextmanager
    def graph(self, _: FakeCuda) -> Iterator[None]:
        self.said.append("capture")
        yield

    def replay(self) -> None:
        self.said.append("replay")


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build("lrsrn", {"scale": 2}).folded()


@pytest.mark.parametrize(("name", "precision", "tolerance"), [
    ("eager", "fp32", 0), ("channels-last", "fp32", 1e-5), ("eager", "bf16", 0.05), ("channels-last", "fp16", 0.01),
])  # fmt: skip
def test_every_form_makes_the_same_pixels(
    network: torch.nn.Module, name: str, precision: str, tolerance: float
) -> None:
    image = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1))
    ready = make_ready(network, find_form(name), SHAPE, device=CPU, precision=precision)
    with torch.inference_mode():
        expected = network(image)
    assert (ready(image).float() - expected).abs().max() <= tolerance
    assert next(network.parameters()).dtype == torch.float32, "the network itself is left alone"
    assert ready.image.is_contiguous(
        memory_format=torch.channels_last if find_form(name).is_channels_last else torch.contiguous_format
    )


def test_a_compiled_form_is_made_by_torch_s_compiler_for_its_size(
    network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def compiled(module: torch.nn.Module, **options: object) -> torch.nn.Module:
        asked.append(options)
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    ready = make_ready(network, find_form("compiled"), SHAPE, device=CPU)
    assert ready.run().shape == (1, 3, 20, 24)
    assert asked == [{"dynamic": False}]


def test_a_captured_form_warms_up_captures_once_and_replays(network: torch.nn.Module) -> None:
    cuda = FakeCuda()
    ready = make_ready(network, find_form("graph"), SHAPE, device=CPU, graphs=cuda)
    first, second = ready.run(), ready.run()
    assert cuda.said == ["warm", "capture", "replay", "replay"]
    assert first is second, "a graph writes to the same memory each time"


def test_what_is_not_there_is_refused(network: torch.nn.Module) -> None:
    with pytest.raises(SettingError, match="a CUDA graph needs an NVIDIA device, not cpu"):
        make_ready(network, find_form("graph"), SHAPE, device=CPU)
    with pytest.raises(UnknownNameError, match="did you mean 'fp16' or 'bf16'"):
        make_ready(network, FORMS[0], SHAPE, device=CPU, precision="f16")
    with pytest.raises(UnknownNameError, match="channels-last"):
        find_form("last")
    assert np.unique([form.name for form in FORMS]).size == len(FORMS)
