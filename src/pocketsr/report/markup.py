"""HTML by parts: text is escaped unless it says that it is markup already."""

from __future__ import annotations

import html

#: Elements without an end.
_VOID = frozenset({"br", "img", "input", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | int | bool | None) -> Markup:
    """Return an element. Text is escaped, :class:`Markup` is not.

    Args:
        name: Of the element.
        children: What is inside.
        attributes: ``class_`` is ``class``, ``aria_label`` is ``aria-label``; None and False are left out.

    >>> element("p", "1 < 2", element("b", "yes"), class_="note", hidden=False)
    '<p class="note">1 &lt; 2<b>yes</b></p>'
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        words.append(key if value is True else f'{key}="{html.escape(str(value))}"')
    start = Markup(f"<{' '.join(words)}>")
    if name in _VOID:
        return start
    return Markup(f"{start}{join(*children)}</{name}>")


def join(*parts: str) -> Markup:
    """Return parts after each other, escaped where they are text."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part, quote=False) for part in parts))
