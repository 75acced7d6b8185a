"""The page of the photo contract names tests that are there, and every test of the contract is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "photo-contract.md").read_text(encoding="utf-8")
CONTRACT = "tests/contracts/test_photo_contract.py"
NAMED = sorted({(path or CONTRACT, name) for path, name in re.findall(r"`(?:(tests/[\w/]+\.py)::)?(test_\w+)`", PAGE)})


def _tests(path: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_is_there(path: str, name: str) -> None:
    assert name in _tests(path)


def test_every_test_of_the_contract_is_on_the_page() -> None:
    assert _tests(CONTRACT) == {name for path, name in NAMED if path == CONTRACT}
