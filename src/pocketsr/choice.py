"""A thing chosen by name, with options: how recipes name losses, optimisers, degradations and the like.

Knows no list of its own. Whoever holds a list of makers turns a choice into the thing itself with ``make``.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from pocketsr.errors import SettingError, UnknownNameError

_Thing = TypeVar("_Thing")
#: What an option of a plain type is called in an error.
_WORDS: Mapping[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """A name from a list, and keyword options for what stands there.

    In a recipe ``"l1"`` is short for ``{ name = "l1" }``.

    Attributes:
        name: A name from the list in question.
        options: Keyword options of that row.
    """

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        """Return the name with its options, for people.

        >>> print(Choice(name="step", options={"every": 100, "factor": 0.5}))
        step(every=100, factor=0.5)
        """
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name


def make(kind: str, makers: Mapping[str, Callable[..., _Thing]], choice: Choice, *given: object) -> _Thing:
    """Call the maker that a choice names with ``given`` and the choice's options.

    Args:
        kind: What is chosen, for error messages: "loss", "optimiser".
        makers: The list.
        choice: A row of it.
        given: Positional arguments that come from the caller, not from the recipe.

    Raises:
        UnknownNameError: The list has no such name.
        SettingError: That row does not take one of the options, or needs one more, or one is of another type.

    >>> make("shape", {"box": lambda *, width=1: width}, Choice(name="box", options={"widht": 2}))
    Traceback (most recent call last):
        ...
    pocketsr.errors.SettingError: shape 'box' got an unexpected keyword argument 'widht'; its options: width
    """
    if choice.name not in makers:
        raise UnknownNameError.among(kind, choice.name, makers)
    maker = makers[choice.name]
    signature = inspect.signature(maker)
    try:
        signature.bind(*given, **choice.options)
    except TypeError as error:
        names = ", ".join(list(signature.parameters)[len(given) :]) or "none"
        raise SettingError(f"{kind} {choice.name!r} {error}; its options: {names}") from error
    hints = _hints(maker)
    for name, value in choice.options.items():
        if hints.get(name) in _WORDS and not _fits(hints[name], value):
            raise SettingError(f"{kind} {choice.name!r}: {name} is {_WORDS[hints[name]]}, not {value!r}")
    return maker(*given, **choice.options)


def _hints(maker: Callable[..., object]) -> Mapping[str, Any]:
    """Return the types of a maker's options, none where they cannot be told."""
    try:
        return get_type_hints(maker.__init__ if inspect.isclass(maker) else maker)
    except (NameError, TypeError):  # named for type checkers only, or a callable without annotations
        return {}


def _fits(kind: Any, value: object) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int | float if kind is float else kind)
