"""``pocketsr bench --peers``: which programs of others are timed in the same run, and what a reader should know.

Kernels of Pillow and OpenCV, small networks in OpenCV and ncnn, and files that the user gives; each only where its
program is installed, each with its version.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pocketsr.bench import Asked, Measured
    from pocketsr.errors import PocketsrError

#: Program of a file by its ending.
_PROGRAMS: Mapping[str, str] = {".pb": "opencv", ".onnx": "opencv", ".tflite": "opencv", ".param": "ncnn"}
_RANDOM = "random weights: the time is that of trained ones"


@dataclasses.dataclass(frozen=True)
class Peers:
    """What is timed beside our models.

    Attributes:
        asked: Each peer with each number of threads it can use.
        names: What a record calls a file of ours, by its path.
        absent: What is not timed, with the reason.
    """

    asked: tuple[Asked, ...]
    names: Mapping[str, str]
    absent: dict[str, str]

    def leaves_out(self, asked: Asked, error: PocketsrError) -> bool:
        """Whether a run goes on without it: a usual peer that its program, in this version, cannot run."""
        name = self.names.get(asked.model)
        if name is None:
            return False
        self.absent[f"{name} in {asked.backend}"] = str(error)
        return True

    def named(self, measured: Measured) -> Measured:
        """Return a measurement with the peer's name, its program's version and a remark; ours as they are."""
        from pocketsr.bench.peers import PROGRAMS, version_of

        if measured.backend not in PROGRAMS:
            return measured
        name = self.names.get(measured.model.name)
        model = measured.model
        if name is not None:
            model = dataclasses.replace(model, name=name, network=name, data="", sha256="")
        return dataclasses.replace(
            measured,
            model=model,
            backend=f"{measured.backend} {version_of(measured.backend) or ''}".strip(),
            remarks=() if name is None else (f"{name}: {_RANDOM}",),
        )


@contextmanager
def peers(scale: int, threads: Sequence[int], files: Sequence[Path], *, is_asked: bool) -> Iterator[Peers]:
    """Make ready what there is; files with random weights lie in a folder that is gone afterwards.

    Args:
        scale: Factor of our first model, which peers enlarge by, too.
        threads: As for our models.
        files: Given by the user, on top.
        is_asked: Whether the usual peers are wanted, too.
    """
    from pocketsr.bench import Asked
    from pocketsr.bench.peers import KERNELS, version_of

    absent: dict[str, str] = {}
    names: dict[str, str] = {}
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="pocketsr-") as folder:
        if is_asked:
            rows += [(kernel, program) for program in ("pillow", "opencv") for kernel in KERNELS]
            names = dict(_drawn(Path(folder), scale, absent))
            rows += [(path, _PROGRAMS[Path(path).suffix]) for path in names]
        for file in files:
            if file.suffix not in _PROGRAMS:
                raise click.UsageError(f"--peer takes {', '.join(_PROGRAMS)}, not {file.name}")
            rows.append((str(file), _PROGRAMS[file.suffix]))
        for program in dict.fromkeys(program for _, program in rows):
            if version_of(program) is None:
                absent[program] = "it is not installed; pip install 'pocketsr[peers]'"
        asked = [
            Asked(model=model, backend=program, threads=count, scale=scale)
            for model, program in rows
            if program not in absent
            for count in ((1,) if program == "pillow" else threads)
        ]
        yield Peers(tuple(asked), names, absent)


def _drawn(folder: Path, scale: int, absent: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Write files with random weights; yield the path of each and its name."""
    from pocketsr.cli.bench_peer_files import write_compact, write_espcn, write_fsrcnn
    from pocketsr.errors import MissingExtraError

    try:
        for name, is_rewritten in (("fsrcnn", False), ("fsrcnn-subpixel", True)):
            write_fsrcnn(folder / f"{name}.onnx", scale, is_rewritten=is_rewritten)
            yield str(folder / f"{name}.onnx"), name
        write_espcn(folder / "espcn.onnx", scale)
        yield str(folder / "espcn.onnx"), "espcn"
    except MissingExtraError as error:
        absent["FSRCNN and ESPCN in opencv"] = str(error)
    write_compact(folder / "compact.param", scale)
    yield str(folder / "compact.param"), "compact"
