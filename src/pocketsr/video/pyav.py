"""PyAV, imported where it is used; its errors in our words. Knows nothing of streams or frames."""

from __future__ import annotations

from typing import Any

from pocketsr.errors import MissingExtraError


def load_av() -> Any:
    """Return the module ``av``.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
        import av.error
    except ImportError as error:
        raise MissingExtraError.for_extra("av", "video") from error
    return av


def words_of(error: BaseException) -> str:
    """Return what an error of PyAV says, without its number and file name; with the library's last words if any."""
    words = str(getattr(error, "strerror", None) or error or type(error).__name__)
    log = getattr(error, "log", None)
    if log and len(log) == 3 and str(log[2]).strip():
        words += f" ({log[1]}: {str(log[2]).strip()})"
    return words
