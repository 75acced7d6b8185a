"""The page of the photo contract names tests that are there, and every test of the contract is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "photo-contract.md").read_text(encoding="utf-8")
#: Tests that the page names without a file are in one of these.
CONTRACT = ("tests/contracts/test_photo_contract.py", "tests/contracts/test_photo_contract_metadata.py")
NAMED = sorted(set(re.findall(r"`(?:(tests/[\w/]+\.py)::)?(test_\w+)`", PAGE)))


def _tests(*paths: str) -> list[str]:
    texts = ((ROOT / path).read_text(encoding="utf-8") for path in paths)
    return [name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_is_there(path: str, name: str) -> None:
    assert name in _tests(*([path] if path else CONTRACT))


def test_every_test_of_the_contract_is_on_the_page() -> None:
    assert sorted(_tests(*CONTRACT)) == [name for path, name in NAMED if not path]
