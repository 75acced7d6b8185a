"""Shelves: where released models lie in a checkout, and how much each may hold.

src/pocketsr/weights     in the wheel, 3 MB       bank     beside it, 15 MB, saved networks of both
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from pocketsr.errors import SettingError
from pocketsr.weights.catalogue import Entry, Style, read_catalogue, read_names
from pocketsr.weights.catalogue_text import catalogue_text

#: Bytes of models in the wheel, and in the bank.
LARGEST_BYTES = {"wheel": 3_000_000, "bank": 15_000_000}
_MODELS = (".tflite", ".safetensors")


@dataclasses.dataclass(frozen=True)
class Shelf:
    """One of the two places for models.

    Attributes:
        root: The checkout.
        is_bank: The bank, not the wheel.
    """

    root: Path
    is_bank: bool = False

    @property
    def weights(self) -> Path:
        """Folder of what goes into the wheel."""
        return self.root / "src" / "pocketsr" / "weights"

    @property
    def bank(self) -> Path:
        """Folder of the bank."""
        return self.root / "bank"

    @property
    def folder(self) -> Path:
        """Folder of this shelf."""
        return self.bank if self.is_bank else self.weights

    @property
    def catalogue(self) -> Path:
        """Catalogue of this shelf."""
        return self.folder / "catalogue.toml"

    @staticmethod
    def curve_name(name: str) -> str:
        """Return where the learning curve of a model lies, from the root."""
        return f"docs/results/bank/{name}.json"

    def prepare(self) -> None:
        """Make what is missing: folders, and a bank without models."""
        (self.root / self.curve_name("x")).parent.mkdir(parents=True, exist_ok=True)
        self.bank.mkdir(exist_ok=True)
        if not (self.bank / "catalogue.toml").exists():
            (self.bank / "catalogue.toml").write_text(catalogue_text(()), encoding="utf-8")

    def write(self, entries: Sequence[Entry]) -> None:
        """Write this shelf's catalogue, and the bank's names into that of the wheel.

        Raises:
            SettingError: Two models would have one name.
        """
        wheel = list(entries) if not self.is_bank else list(read_catalogue(self.weights / "catalogue.toml"))
        bank = list(entries) if self.is_bank else list(read_catalogue(self.bank / "catalogue.toml"))
        self.require_free(entry.name for entry in entries)
        if self.is_bank:
            _write(self.bank / "catalogue.toml", catalogue_text(bank))
        styles: dict[str, Style] = {entry.name: entry.style for entry in bank}
        _write(self.weights / "catalogue.toml", catalogue_text(wheel, bank=styles))
        read_names.cache_clear()

    def require_free(self, names: Iterable[str]) -> None:
        """Refuse names that models of the other shelf have.

        Raises:
            SettingError: One of them is taken.
        """
        other = Shelf(self.root, is_bank=not self.is_bank).catalogue
        taken = {entry.name for entry in read_catalogue(other)} if other.exists() else set()
        if twice := sorted(taken.intersection(names)):
            raise SettingError(f"{', '.join(twice)} would be in the wheel and in the bank; remove one of them")

    def require_room(self, name: str, files: Iterable[Path], *, other: Path) -> None:
        """Refuse a model that would make a shelf larger than it may be.

        Args:
            name: Of the model; what there is of it is replaced.
            files: What goes onto this shelf.
            other: The saved network, which goes into the bank always.

        Raises:
            SettingError: The shelf would be too large.
        """
        for folder, key, new in (
            (self.folder, "bank" if self.is_bank else "wheel", list(files)),
            (self.bank, "bank", [other]),
        ):
            replaced = {f"{name}.tflite", f"{name}-float.tflite", other.name}
            stays = [file for file in _models(folder) if file.name not in replaced]
            size = sum(file.stat().st_size for file in (*stays, *new))
            if size > LARGEST_BYTES[key]:
                raise SettingError(f"{folder} would hold {size:,} bytes; {LARGEST_BYTES[key]:,} is the most for {key}")


def _models(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix in _MODELS] if folder.is_dir() else []


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
