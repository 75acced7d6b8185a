"""From a finished run to a model of the catalogue: files that were checked, figures, card, entry, curve.

    run ──> float network ──> .tflite (float32), .safetensors (folded) ─┐
        └─> integer network ──> .tflite (int8) ─────────────────────────┼─> judged ──> card, entries
                     float network, quantised after training (PTQ) ─────┘   (PTQ is not kept)

All is made in a temporary folder and moved to its places at the end: what fails half-way leaves nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketsr.blocks import Network
from pocketsr.compress.integer import REWRITES
from pocketsr.errors import SettingError
from pocketsr.evaluate.bank import SETS, judge_files
from pocketsr.graph.tflite import read_model
from pocketsr.networks import SIZES, build, sizes_of
from pocketsr.networks.saved import save_network
from pocketsr.pipeline.publish import publish
from pocketsr.pipeline.release_files import FLOAT, INT8, PTQ, Lows, card_file, in_order, write_files
from pocketsr.pipeline.run_facts import RunFacts, read_run, recipe_digest
from pocketsr.train import read_checkpoint, restore
from pocketsr.weights import Card, Score, Style, Training, TrainingData
from pocketsr.weights.shelf import Shelf

_Pixels = npt.NDArray[np.uint8]

#: Output that multiplications are counted for.
_FRAME = (720, 1280)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a release is to be.

    Attributes:
        name: Name of the model.
        style: What it is for.
        shelf: Where it goes.
        summary: One line for its card; empty describes it by its network.
        order: Its place among models of its scale and style that are taken where none is named; None keeps what it had.
        scale: For networks that hold several scales: which.
        checkpoint: Name of the saved network, where models of several scales share it; empty is the model's.
        quantised: Make the int8 file of the float network, after training, whatever integer stages the run has.
        own_steps: What is quantised after training has sums at steps of their own, as ``compress.own_steps`` says.
        without_float: Leave the float32 file out, which the saved network makes again; its figures stay on the card.
        commit: Of the code.
        hardware: That the run was on.
        command: What made the weights; empty is told from the run.
        intended_use: Lines for the card beside the usual ones.
        known_failures: The same.
    """

    name: str
    style: Style
    shelf: Shelf
    summary: str = ""
    order: int | None = None
    scale: int | None = None
    checkpoint: str = ""
    quantised: bool = False
    own_steps: bool = False
    without_float: bool = False
    commit: str = ""
    hardware: str = ""
    command: str = ""
    intended_use: tuple[str, ...] = ()
    known_failures: tuple[str, ...] = ()


def release(
    run: Path,
    wanted: Wanted,
    *,
    images: Path,
    benchmarks: Path,
    manifest: Path | None = None,
    sets: Sequence[str] = SETS,
    limit: int | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Card:
    """Make a finished run a model of the catalogue; what there was of that name is replaced.

    Args:
        run: Folder of the run.
        wanted: What it is to be.
        images: Training images, to check files on and to take ranges from.
        benchmarks: Folder with the sets.
        manifest: List of the training images with their licences, as JSON.
        sets: Names of the sets.
        limit: Images of each set, for a quick look; None takes all.
        on_note: Told in words what was done.

    Raises:
        CheckpointError: The run is not finished.
        ParityError: A file does not compute what its network computes.
        SettingError: The weights have no licence, the network was not trained for that scale, the other shelf has a
            model of that name, or the shelf would be too large.
        DataError: A set is missing.
    """
    facts = read_run(run, floats_only=wanted.quantised)
    facts = dataclasses.replace(facts, own_steps=facts.own_steps or wanted.own_steps)
    licence = facts.recipe.data.licence
    if not licence:
        raise SettingError(f"recipe {facts.recipe.name!r} names no licence; weights without one are not released")
    network = restore(read_checkpoint(facts.float_checkpoint), REWRITES)
    assert isinstance(network, Network)
    scale = wanted.scale or facts.recipe.scale
    if facts.integer_checkpoint is not None and scale != facts.recipe.scale:
        raise SettingError(f"the integer network of {run} is for ×{facts.recipe.scale}, not ×{scale}")
    if scale != network.scale:
        if scale not in network.scales:
            known = ", ".join(map(str, network.scales))
            raise SettingError(f"{facts.recipe.network.name} of {run} was trained for ×{known}, not ×{scale}")
        network.scale = scale
    with tempfile.TemporaryDirectory(prefix="pocketsr-release-") as name:
        folder = Path(name)
        lows = Lows(images, network.scale, network.channels, facts.recipe.data.degradation)
        made = write_files(network, facts, wanted.name, folder, lows, keeps_ptq=wanted.quantised)
        for key, file in made.items():
            on_note(f"{key}: {file.stat().st_size:,} bytes, checked")
        scores = judge_files(
            made,
            benchmarks,
            style=wanted.style,
            scale=network.scale,
            channels=network.channels,
            network=facts.recipe.network.name,
            sets=sets,
            limit=limit,
        )
        kept = {key: file for key, file in made.items() if key != PTQ}
        if wanted.quantised and PTQ in made:
            kept[INT8] = made[PTQ]
            scores = tuple(dataclasses.replace(one, int8_db=one.ptq_db) for one in scores)
        if wanted.without_float and INT8 in kept:
            kept.pop(FLOAT, None)
        drops = [one.drop_db for one in scores if one.drop_db is not None]
        graph, spec = read_model(made.get(FLOAT, next(iter(kept.values()))))
        card = Card(
            name=wanted.name,
            summary=wanted.summary or f"{facts.recipe.network.name} ×{spec.scale}, trained by `{facts.recipe.name}`.",
            network=facts.recipe.network.name,
            options=_options(facts, network),
            scale=spec.scale,
            channels=spec.channels,
            style=wanted.style,
            parameters=graph.parameter_count(),
            gmacs_720p=round(graph.multiply_accumulates(*(side // spec.scale for side in _FRAME)) / 1e9, 3),
            receptive_field=spec.receptive_field,
            files=tuple(card_file(key, file, facts) for key, file in in_order(kept)),
            training=Training(
                recipe=facts.recipe.name,
                readings=facts.readings,
                recipe_sha256=recipe_digest(facts.recipe),
                command=wanted.command or facts.command,
                commit=wanted.commit,
                steps={stage.name: stage.steps for stage in facts.recipe.stages},
                hours=facts.hours,
                hardware=wanted.hardware,
            ),
            data=_data(facts.recipe.data.description, manifest),
            licence=licence,
            scores=scores,
            int8_drop_db=max(drops) if drops else None,
            speed=(),
            intended_use=(*_USES[wanted.style], *wanted.intended_use),
            known_failures=(*_FAILURES[wanted.style], *wanted.known_failures),
            curve=wanted.shelf.curve_name(wanted.name),
        )
        checkpoint = folder / f"{wanted.checkpoint or wanted.name}.safetensors"
        _save(network, card, checkpoint)
        publish(
            card,
            {one.name: kept[one.precision] for one in card.files},
            checkpoint,
            facts.curve_record(card.name),
            wanted.shelf,
            order=wanted.order,
        )
    return card


def judged_again(card: Card, shelf: Shelf, *, benchmarks: Path, sets: Sequence[str] = SETS) -> Card:
    """Return a card with figures of its files as they lie there.

    What PTQ gave is kept, as is what float32 gave where its file was left out: those files are not there.

    Raises:
        ModelFileError: A file is missing or damaged.
        DataError: A set is missing.
    """
    scores = judge_files(
        {one.precision: shelf.folder / one.file for one in card.files},
        benchmarks,
        style=card.style,  # type: ignore[arg-type]  # read back from a card
        scale=card.scale,
        channels=card.channels,
        network=card.network,
        sets=sets,
    )
    known = {(one.data, one.protocol): one for one in card.scores}
    scores = tuple(_with_known(one, known.get((one.data, one.protocol))) for one in scores)
    drops = [one.drop_db for one in scores if one.drop_db is not None]
    return dataclasses.replace(card, scores=scores, int8_drop_db=max(drops) if drops else None)


def _with_known(score: Score, known: Score | None) -> Score:
    """Return a score with what a card knew of forms that have no file."""
    if known is None:
        return score
    floats = known.float32_db if score.float32_db is None else score.float32_db
    return dataclasses.replace(score, float32_db=floats, ptq_db=known.ptq_db)


def _options(facts: RunFacts, network: Network) -> dict[str, Any]:
    options = dict(facts.recipe.network.options)
    options["scale"] = network.scale
    plain: dict[str, Any] = json.loads(json.dumps(options))
    return plain


def _save(network: Network, card: Card, path: Path) -> None:
    """Write the folded network with the options that make it."""
    folded, options = network.folded(), dict(card.options)
    plain = build(card.network, {key: value for key, value in options.items() if key != SIZES})
    options[SIZES] = sizes_of(folded, plain.folded())
    save_network(folded, path, name=card.network, options=options, source=card.data.description, licence=card.licence)


def _data(description: str, manifest: Path | None) -> TrainingData:
    if manifest is None:
        return TrainingData(description=description, images=None, manifest_sha256="", licences={})
    text = manifest.read_bytes()
    counts: dict[str, int] = {}
    for image in json.loads(text):
        if image["file"].startswith("train/"):
            counts[image["licence"]] = counts.get(image["licence"], 0) + 1
    ordered = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    return TrainingData(
        description=description,
        images=sum(counts.values()),
        manifest_sha256=hashlib.sha256(text).hexdigest(),
        licences=ordered,
    )


_USES: Mapping[Style, tuple[str, ...]] = {
    "clean": (
        "Enlarging photographs, graphics and video frames that have no visible faults, quickly, on any processor.",
        "Inputs that were shrunk by bicubic, as in training; edges are sharpened and fine texture restored a little.",
    ),
    "jpeg": (
        "Enlarging photos as cameras and phones write them, JPEG of quality 80 and better: faint ringing is not "
        "enlarged, and colour that was kept at half the resolution is brought back to edges.",
    ),
    "jpeg-444": (
        "Enlarging photos as editors write them, JPEG of quality 40 to 90 with colour at full resolution (4:4:4): "
        "faint ringing is not enlarged.",
    ),
    "jpeg-coarse": (
        "Enlarging photos that were stored as JPEG of quality 20 to 80: blocks and ringing are not enlarged with them.",
    ),
    "gan": ("Enlarging where a sharp look counts for more than being true to the original.",),
}
_FAILURES: Mapping[Style, tuple[str, ...]] = {
    "clean": (
        "It removes neither noise nor JPEG's blocks: it sharpens them.",
        "Images shrunk otherwise than by bicubic come out softer, or with halos.",
        "Nothing is invented: what the input does not show stays blurred.",
    ),
    "jpeg": (
        "Fine texture of clean inputs is taken for JPEG's faults and smoothed.",
        "Of quality below 80 blocks remain; noise stays.",
    ),
    "jpeg-444": (
        "Fine texture of clean inputs is taken for JPEG's faults and smoothed.",
        "Colour that was kept at half the resolution stays smeared; of quality below 40 blocks remain; noise stays.",
    ),
    "jpeg-coarse": (
        "Fine texture of better inputs is taken for JPEG's faults and smoothed.",
        "Below quality 20 blocks remain; noise stays.",
    ),
    "gan": (
        "Texture is invented: no evidence, no measurement, no text to be read from it.",
        "PSNR is below that of the same network trained for it.",
    ),
}
