"""Models that tests of several rooms open without a file."""

from __future__ import annotations

from pathlib import Path

from pocketsr.runtime import Backend
from pocketsr.runtime.backends.reference import ReferenceSession
from sample_graphs import abpn_like_graph, spec_for


class InMemory(Backend):
    """A backend whose model is a sample graph of one scale, so that nothing is read from disk."""

    name = "in memory"

    def __init__(self, scale: int = 3) -> None:
        self.scale = scale

    def load(self, path: Path, *, threads: int | None = None) -> ReferenceSession:
        del path, threads
        graph = abpn_like_graph(channels=4, depth=1, scale=self.scale)
        return ReferenceSession(graph, spec_for(graph))
