"""Questions about paths that are answered even where the system refuses to look.

``Path.exists`` and ``Path.is_dir`` raise where a folder above may not be entered or a name is too long; here that is a
no, and what is done next with the path says why it cannot be.
"""

from __future__ import annotations

import os
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether something is seen under a name.

    >>> exists(Path("x" * 5000))
    False
    """
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    """Whether a folder is seen under a name.

    >>> is_folder(Path.cwd()), is_folder(Path("x" * 5000))
    (True, False)
    """
    return os.path.isdir(path)  # noqa: PTH112
