"""The process of a contender: one word of JSON a line in, one answer a line out, until its input ends.

python -m pocketsr.bench.worker '{"model": "abpn-x3", "backend": "litert", "threads": 1}'
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from pocketsr.bench.contender import Asked, Contender, LocalContender
from pocketsr.errors import PocketsrError


def answer(contender: Contender, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a word asks.

    Raises:
        KeyError: It is none of load, prepare, run, compare, memory.
    """
    word = asked["word"]
    if word == "load":
        milliseconds, spec = contender.load()
        return {"ms": milliseconds, "spec": spec.to_json()}
    if word == "prepare":
        height, width = asked["size"]
        return {"ms": contender.prepare((height, width), asked["warm_up"])}
    if word == "run":
        return {"ms": contender.run(asked["count"])}
    if word == "compare":
        found = contender.compare()
        return {"correctness": None if found is None else dataclasses.asdict(found)}
    if word == "memory":
        return {"mb": contender.peak_memory_mb()}
    raise KeyError(word)


def serve(contender: Contender, lines: Iterable[str], made: TextIO) -> None:
    """Answer every line; an error of ours is an answer, too."""
    for line in lines:
        try:
            words = answer(contender, json.loads(line))
        except (PocketsrError, MemoryError) as error:
            words = {"error": str(error) or "not enough memory", "kind": type(error).__name__}
        made.write(json.dumps(words) + "\n")
        made.flush()


def main(make: Callable[[Asked], Contender], argument: str) -> None:
    """Serve on the standard streams. What runtimes below Python print goes to stderr instead of between answers."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(make(Asked(**json.loads(argument))), sys.stdin, own)


if __name__ == "__main__":
    main(LocalContender, sys.argv[1])
