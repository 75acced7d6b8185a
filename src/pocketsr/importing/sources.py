"""The list of public sources that are recognised. A new one is a row in the file of its family."""

from __future__ import annotations

from pocketsr.importing import cascade, classic, plain
from pocketsr.importing.conversion import Source

SOURCES: tuple[Source, ...] = (*plain.SOURCES, *classic.SOURCES, *cascade.SOURCES)
