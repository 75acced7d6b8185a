"""What a teacher makes of the training images: once, and kept on disk, so that a step costs what it does without one.

    pairs ─► teacher ─► teacher-<hash>-x3/000012-<hash of the low side>.npy ─► pairs with a guide

Whole images are enlarged, one at a time: networks that see all of an image (Fourier units) cannot work in tiles. It is
done in bfloat16 whatever the stage's precision, so that one set serves float and integer stages; it costs the teacher
0.01 to 0.02 dB.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pocketsr.blocks import Network
from pocketsr.data import Pair
from pocketsr.image.writing import replacing
from pocketsr.train.distillation import digest_of, load_teacher, set_scale
from pocketsr.train.distributed import Processes
from pocketsr.train.images import device_of, to_image, to_tensor, upscale_with
from pocketsr.train.recipe import Stage

_Pixels = npt.NDArray[np.uint8]
_SECONDS_BETWEEN_NOTES = 60.0


def guided_pairs(
    pairs: Sequence[Pair],
    stage: Stage,
    scale: int,
    folder: Path,
    processes: Processes,
    *,
    on_note: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Pair, ...] | None:
    """Return pairs with the teacher's image beside each, made once and kept in a folder.

    Args:
        pairs: What the teacher enlarges.
        stage: Says who teaches.
        scale: Factor of the pairs.
        folder: Where images are kept; those of the same teacher found there are not made again.
        processes: The group that trains: each makes its share, and all call this.
        on_note: Called with a sentence for people, in the main process.
        should_stop: Asked before every image that has to be made.

    Returns:
        The pairs, or None where some process was asked to stop; what it made so far is kept.

    Raises:
        CheckpointError: The teacher cannot be read.
        SettingError: It does not upscale by that factor.
        ImageFileError: The folder cannot be written, or the disk is full.
    """
    assert stage.distillation is not None
    teacher = load_teacher(stage.distillation.teacher).to(processes.device)
    set_scale(teacher, scale)
    kept = folder / f"teacher-{digest_of(stage.distillation.teacher)[:12]}-x{scale}"
    kept.mkdir(parents=True, exist_ok=True)
    files = [
        kept / f"{number:06}-{hashlib.sha256(pair.low.tobytes()).hexdigest()[:12]}.npy"
        for number, pair in enumerate(pairs)
    ]
    guides = [_kept_in(file, pair) for file, pair in zip(files, pairs, strict=True)]
    missing = [number for number, guide in enumerate(guides) if guide is None]
    say = on_note if processes.is_main else lambda _: None
    if missing:
        say(f"the teacher enlarges {len(missing)} images once; they are kept in {kept}")
    was_stopped, said = False, time.monotonic()
    share = [number for number in missing if number % processes.world == processes.rank]
    for done, number in enumerate(share, 1):
        if was_stopped := should_stop():
            break
        guides[number] = _enlarge(teacher, pairs[number], files[number])
        if time.monotonic() - said > _SECONDS_BETWEEN_NOTES:
            said = time.monotonic()
            say(f"the teacher has enlarged {done:,} of {len(share):,} images")
    if processes.any(was_stopped):  # and when this returns, every share is made
        return None
    guided = []
    for pair, file, guide in zip(pairs, files, guides, strict=True):
        if guide is None:  # another process made it; one on another machine may have kept it there
            guide = _kept_in(file, pair)
        guided.append(dataclasses.replace(pair, guide=_enlarge(teacher, pair, file) if guide is None else guide))
    return tuple(guided)


def _kept_in(file: Path, pair: Pair) -> _Pixels | None:
    """Return the image that a file holds, None where it is missing, damaged or of another size."""
    try:
        image: _Pixels = np.load(file)
    except (OSError, ValueError, EOFError):
        return None
    return image if image.dtype == np.uint8 and image.shape == pair.high.shape else None


@torch.no_grad()
def _enlarge(teacher: Network, pair: Pair, file: Path) -> _Pixels:
    """Return what the teacher makes of an image, and keep it in a file, whole or not at all."""
    if teacher.channels == 1:
        image = upscale_with(teacher, pair.low)
    else:
        device = device_of(teacher)
        with torch.autocast(device.type, torch.bfloat16):
            image = to_image(teacher(to_tensor(pair.low[None], device)).float())[0]
    with replacing(file, overwrite=True) as temporary, temporary.open("wb") as out:
        np.save(out, image)
    return image
