"""The ONNX Runtime backend: ``.onnx`` files, ours and those of others, on the processor or an NVIDIA GPU.

Ours carry their description in the metadata. A file of someone else is asked what it is: its ends say channels, a small
image its factor, a grey one whether white is 1 or 255. Its receptive field stays unknown, so it is run whole.

    uint8 (1, H, W, C) ──> float32 (1, C, H, W) ──> float32 (1, C, sH, sW) ──> uint8 (1, sH, sW, C)

int8 files of ours take and give the pixels themselves. Within two levels of the exact integers in int8, within one in
float32.

Knows nothing of tiles or image files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketsr.errors import MissingExtraError, ModelFileError
from pocketsr.runtime.backend import Backend, Session, checked_threads
from pocketsr.runtime.pixels import Levels, PixelForm, Pixels
from pocketsr.spec import ModelSpec

#: Key of the description in the metadata of our files: that of a ``.tflite``.
_SPEC_ENTRY = "pocketsr_spec"
#: Side of the image that a file of someone else is asked with, where it leaves its size open.
_SIDE = 24
_CUDA = "CUDAExecutionProvider"
#: What int8 files have at their ends.
_UINT8, _BYTES = "tensor(uint8)", PixelForm("uint8", zero_point=0)


class ONNXRuntimeBackend(Backend):
    """Runs ``.onnx`` files with ONNX Runtime.

    Args:
        device: ``cpu``, or ``cuda``: operators that a GPU has run there, the others on the processor.
    """

    suffix = ".onnx"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.name = "onnxruntime" if device == "cpu" else f"onnxruntime-{device}"

    def load(self, path: Path, *, threads: int | None = None) -> Session:
        """Open an ONNX file; the runtime itself is imported here.

        Raises:
            ModelFileError: The file is missing, damaged, no ``.onnx``, or does not enlarge images.
            SettingError: ``threads`` is below 1.
            MissingExtraError: onnxruntime is not installed, or is not made for the device.
        """
        count = checked_threads(threads)
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError.for_extra("onnxruntime", "onnxruntime") from error
        if path.suffix != self.suffix:
            raise ModelFileError(f"onnxruntime runs .onnx files, not {path}; use --backend litert, or export as ONNX")
        if not path.is_file():
            raise ModelFileError(f"there is no model file {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = count, 1
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        if self.device == "cuda":
            # Asked before, because the runtime falls back to the processor without an error.
            if _CUDA not in onnxruntime.get_available_providers():
                raise MissingExtraError(
                    f"this needs ONNX Runtime for NVIDIA GPUs, and {onnxruntime.__version__} here is for processors: "
                    "pip install onnxruntime-gpu in its place"
                )
            providers.insert(0, _CUDA)
        try:
            runtime = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
        except Exception as error:  # its errors share no base but Exception
            raise ModelFileError(f"{path} is damaged or no ONNX file: {_first_line(error)}") from error
        if self.device == "cuda" and _CUDA not in runtime.get_providers():
            raise ModelFileError(f"ONNX Runtime finds no NVIDIA device to run {path} on; use the backend onnxruntime")
        channels = _checked_channels(runtime, path)
        told = runtime.get_modelmeta().custom_metadata_map.get(_SPEC_ENTRY)
        spec = ModelSpec.from_json(told) if told is not None else _asked_spec(runtime, path, channels)
        if spec.channels != channels:
            raise ModelFileError(f"{path} says {spec.channels} channels, its input has {channels}")
        return ONNXRuntimeSession(spec, path, runtime)


class ONNXRuntimeSession(Session):
    """One ONNX file; the runtime takes any size that the file leaves open."""

    def __init__(self, spec: ModelSpec, path: Path, runtime: Any) -> None:
        super().__init__(spec)
        self._path, self._runtime = path, runtime
        self._form = _BYTES if runtime.get_inputs()[0].type == _UINT8 else PixelForm("float32", spec.value_range)

    @property
    def takes_levels(self) -> bool:
        """Whether its ends are of floating point."""
        return self._form.dtype == "float32"

    def _run(self, batch: Pixels | Levels, out: Pixels | Levels) -> None:
        numbers = np.empty(batch.shape, self._form.dtype)
        self._form.encode(batch, numbers)
        made = _run_on(self._runtime, self._path, numbers.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        if made.shape != out.shape:
            raise ModelFileError(f"{self._path} makes {made.shape} of {batch.shape}; {out.shape} is what it promises")
        self._form.decode(made, out)


def _run_on(runtime: Any, path: Path, numbers: Any) -> Any:
    try:
        return runtime.run(None, {runtime.get_inputs()[0].name: np.ascontiguousarray(numbers)})[0]
    except Exception as error:  # its errors share no base but Exception
        size = "×".join(str(side) for side in numbers.shape[2:])
        raise ModelFileError(f"ONNX Runtime cannot run {path} on {size} pixels: {_first_line(error)}") from error


def _checked_channels(runtime: Any, path: Path) -> int:
    """Return the channels of a file's images; refuse ends that are no images."""
    for word, ends in (("input", runtime.get_inputs()), ("output", runtime.get_outputs())):
        shape: Sequence[Any] = ends[0].shape if len(ends) == 1 else ()
        known = len(shape) == 4 and ends[0].type in ("tensor(float)", _UINT8)
        if not known or (word == "input" and shape[1] not in (1, 3)):
            raise ModelFileError(f"{path}: the {word} is not one image (1, 1 or 3, H, W) of float32 or uint8")
    if runtime.get_inputs()[0].type != runtime.get_outputs()[0].type:
        raise ModelFileError(f"{path}: one end is float32 and the other uint8; both need to be of one kind")
    return int(runtime.get_inputs()[0].shape[1])


def _asked_spec(runtime: Any, path: Path, channels: int) -> ModelSpec:
    """Describe a file of someone else by running it on a grey image."""
    sides = [side if isinstance(side, int) else _SIDE for side in runtime.get_inputs()[0].shape[2:]]
    of_bytes = runtime.get_inputs()[0].type == _UINT8
    grey = np.full((1, channels, *sides), 127.5, np.uint8 if of_bytes else np.float32)
    made = _run_on(runtime, path, grey)
    scale = made.shape[2] // sides[0]
    if scale < 1 or made.shape != (1, channels, sides[0] * scale, sides[1] * scale):
        raise ModelFileError(f"{path} makes {made.shape} of {grey.shape}: it does not enlarge images")
    # A file that never exceeds 1 has white there. Others are taken to be 0..255, which a file does not say.
    white = 1 if not of_bytes and float(made.max()) <= 1.0 else 255
    return ModelSpec(
        name=path.stem,
        network="",
        scale=scale,
        channels=channels,
        precision="int8" if of_bytes else "float32",
        receptive_field=None,
        value_range=white,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
