"""Figures of bundled models and those of the bank: made for their cards, and made again to compare with them.

    files of a model + bicubic ──> each set under each protocol that fits ──> scores of a card
    card ──> its files on its sets ──> what differs

A card's figures are those of model files, run as users run them: 8 bits in, 8 bits out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pocketsr.errors import DataError
from pocketsr.evaluate.benchmarks import Upscale, bicubic, evaluate
from pocketsr.evaluate.official import official_tables
from pocketsr.evaluate.official.beside import find_sets
from pocketsr.evaluate.protocol import find_protocol
from pocketsr.runtime import Upscaler
from pocketsr.weights import Card, Entry, Score, Style, read_card

#: Sets of ground truth that every card has figures on.
SETS = ("Set5", "Set14", "BSD100")
#: Protocols by what a model is for. Those of RGB come first: published tables of tiny networks are of RGB.
_PROTOCOLS: Mapping[Style, tuple[str, ...]] = {
    "clean": ("scsrn", "abpn", "classic"),
    "jpeg": ("lrsrn", "scsrn"),
    "jpeg-444": ("jpeg-85-444", "scsrn"),
    "jpeg-coarse": ("jpeg-50-420", "scsrn"),
    "gan": ("classic",),
}
#: Tables of papers that such a model is put beside: trained for the same kind of input.
_TABLES: Mapping[Style, tuple[str, ...]] = {
    "clean": ("scsrn-table2",),
    "jpeg": ("lrsrn-table2",),
    "jpeg-444": (),
    "jpeg-coarse": (),
    "gan": ("pcarn-table4", "f2srgan-table2"),
}
#: What the same file may differ by on another machine: integers by nothing, floats by the order of sums. Half a digit
#: is what cards round away.
TOLERANCE_DB = {"int8": 0.0006, "float32": 0.003}


def protocols_for(style: Style, channels: int, network: str = "", scale: int = 0) -> tuple[str, ...]:
    """Return the names of the protocols that fit a model: those of its kind, and that of its paper.

    >>> protocols_for("clean", 1), protocols_for("gan", 3, "pcarn-m", 4)
    (('classic',), ('classic', 'pcarn'))
    """
    if channels == 1:
        return ("classic",)
    papers = (
        table.protocol
        for table in official_tables()
        if table.name in _TABLES[style] and table.select(network=network, scale=scale)
    )
    return tuple(dict.fromkeys((*_PROTOCOLS[style], *papers)))


def paper_figure(style: Style, network: str, scale: int, data: str, protocol: str) -> tuple[float | None, str]:
    """Return what a paper prints for the float network in dB, and in which table; None and "" where none does.

    >>> paper_figure("clean", "scsrn", 3, "Set5", "scsrn")
    (31.6, 'scsrn-table2')
    """
    for table in official_tables():
        if table.name in _TABLES[style]:
            cells = table.select(network=network, scale=scale, data=data, quantity="psnr_db", precision=["float32", ""])
            for cell in cells:
                if table.protocol_of(cell) == protocol:
                    return cell.value, table.name
    return None, ""


def judge_files(
    files: Mapping[str, Path],
    root: Path,
    *,
    style: Style,
    scale: int,
    channels: int,
    network: str,
    sets: Sequence[str] = SETS,
    limit: int | None = None,
    cache: Path | None = None,
) -> tuple[Score, ...]:
    """Judge the files of one model.

    Args:
        files: Model files as ``"int8"``, ``"float32"`` and ``"ptq"``, whichever there are.
        root: Folder with the sets.
        style: What the model is for.
        scale: Its factor.
        channels: 3, or 1 for luma.
        network: Its name in the list of networks.
        sets: Names of the sets.
        limit: Images of each set; None takes all.
        cache: Folder to keep low-resolution inputs in.

    Returns:
        A score for each set and protocol, rounded to a thousandth.

    Raises:
        DataError: A set is missing.
    """
    folders = _folders(root, sets)
    names = protocols_for(style, channels, network, scale)
    functions: dict[str, Upscale] = {"bicubic": bicubic(scale), **{key: Upscaler(file) for key, file in files.items()}}
    scores = []
    for data, folder in folders.items():
        means: dict[str, dict[str, float]] = {}
        count = 0
        for key, function in functions.items():
            found, count = _means(function, folder, scale, names, limit=limit, cache=cache)
            means[key] = found
        for name in names:
            printed, paper = paper_figure(style, network, scale, data, name)
            scores.append(
                Score(
                    data=data,
                    images=count,
                    protocol=name,
                    bicubic_db=means["bicubic"][name],
                    float32_db=means.get("float32", {}).get(name),
                    int8_db=means.get("int8", {}).get(name),
                    ptq_db=means.get("ptq", {}).get(name),
                    paper_db=printed,
                    paper=paper,
                )
            )
    return tuple(scores)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checked:
    """One figure of a card, made again.

    Attributes:
        name: Of the model.
        data: Set.
        protocol: Protocol.
        said_db: What the card says.
        found_db: What came out now.
        tolerance_db: By how much they may differ.
    """

    name: str
    data: str
    protocol: str
    said_db: float
    found_db: float
    tolerance_db: float

    @property
    def is_same(self) -> bool:
        """Whether it is the card's figure."""
        return abs(self.found_db - self.said_db) <= self.tolerance_db


def check_entry(entry: Entry, root: Path, *, sets: Sequence[str] = SETS) -> Iterator[Checked]:
    """Judge a model of the catalogue again, set by set, as its card says it was judged.

    Args:
        entry: The model.
        root: Folder with the sets.
        sets: Those to judge on; scores of others are left out.

    Raises:
        ModelFileError: The file is missing or was changed, or the card is none.
        DataError: A set is missing, or has another number of images than the card says; or the card has no figure on
            any of them.
    """
    card: Card = read_card(entry.folder / entry.card)
    upscale = Upscaler(entry.name)
    said = [one for one in card.scores if one.data in sets and _figure(one, entry) is not None]
    if not said:
        raise DataError(f"the card of {entry.name} has no figure of it on {', '.join(sets)}: nothing can be compared")
    folders = _folders(root, list(dict.fromkeys(one.data for one in said)))
    for data, folder in folders.items():
        scores = [one for one in said if one.data == data]
        found, count = _means(upscale, folder, entry.scale, [one.protocol for one in scores])
        if any(one.images != count for one in scores):
            raise DataError(
                f"{folder} has {count} images; the card of {entry.name} is of {scores[0].images}: use the whole set"
            )
        for one in scores:
            value = _figure(one, entry)
            assert value is not None
            yield Checked(
                name=entry.name,
                data=data,
                protocol=one.protocol,
                said_db=value,
                found_db=found[one.protocol],
                tolerance_db=TOLERANCE_DB.get(entry.precision, TOLERANCE_DB["float32"]),
            )


def check_bank(
    entries: Iterable[Entry],
    root: Path,
    *,
    sets: Sequence[str] = SETS,
    on_checked: Callable[[Checked], None] = lambda _: None,
) -> tuple[Checked, ...]:
    """Judge models again and return what differs from their cards; every figure is passed to ``on_checked``."""
    different = []
    for entry in entries:
        for one in check_entry(entry, root, sets=sets):
            on_checked(one)
            if not one.is_same:
                different.append(one)
    return tuple(different)


def _figure(score: Score, entry: Entry) -> float | None:
    return score.int8_db if entry.precision == "int8" else score.float32_db


def _folders(root: Path, sets: Sequence[str]) -> Mapping[str, Path]:
    found = find_sets(root, sets)
    if missing := [name for name in sets if name not in found]:
        raise DataError(f"{', '.join(missing)} not found in {root}; put the folders there")
    return found


def _means(
    function: Upscale,
    folder: Path,
    scale: int,
    names: Sequence[str],
    *,
    limit: int | None = None,
    cache: Path | None = None,
) -> tuple[dict[str, float], int]:
    protocols = [find_protocol(name) for name in names]
    report = evaluate(function, folder, scale=scale, protocols=protocols, with_ssim=False, limit=limit, cache=cache)
    return {name: round(report.mean(name).psnr_db, 3) for name in names}, len(report.rows)
