"""Every error pocketsr raises on purpose, as one small tree.

    PocketsrError
    ├── ImageFileError        an image cannot be read or written
    │   └── ImageTooLargeError    more pixels than the stated limit
    ├── VideoFileError        a video cannot be read or written
    ├── OutputExistsError     the output is there already and may not be overwritten
    ├── ModelFileError        a model file is damaged, not ours, or uses an unknown operator
    ├── UnknownNameError      no model, network, backend, recipe or protocol has that name
    ├── SettingError          a setting is unknown, out of range, or clashes with another
    ├── DataError             a folder of images is empty, missing or laid out wrongly
    ├── CheckpointError       a training checkpoint cannot be read or continued
    ├── TrainingError         training cannot go on: the loss is no number, or the disk is full
    ├── LoweringError         a network does something that a model file cannot hold
    ├── ParityError           a model file does not compute what its network computes
    ├── DeviceError           a phone cannot be reached, or a program on it fails
    └── MissingExtraError     an optional package is not installed

A message says what was needed, what came, and what to do. The command line prints it on one line, without a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PocketsrError(Exception):
    """Base of all errors that a user of pocketsr can cause or cure."""


class ImageFileError(PocketsrError):
    """An image cannot be read or written."""


class ImageTooLargeError(ImageFileError):
    """An image has more pixels than the stated limit."""


class VideoFileError(PocketsrError):
    """A video cannot be read or written, or a container cannot hold a stream."""


class OutputExistsError(PocketsrError):
    """The output is there already and may not be overwritten."""


class ModelFileError(PocketsrError):
    """A model file is damaged, was not written by pocketsr, or uses an operator we do not know."""


class UnknownNameError(PocketsrError):
    """No model, network, backend, recipe or protocol has that name."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Say which ``kind`` of thing was asked for and which known names come nearest.

        >>> print(UnknownNameError.among("model", "abpm-x3", ["abpn-x3", "abpn-x2"]))
        unknown model 'abpm-x3'; did you mean 'abpn-x3' or 'abpn-x2'?
        >>> print(UnknownNameError.among("backend", "cuda", ["litert", "reference"]))
        unknown backend 'cuda'; known: litert, reference
        """
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3)
        if near:
            return cls(f"unknown {kind} {name!r}; did you mean {' or '.join(repr(candidate) for candidate in near)}?")
        return cls(f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}")


class SettingError(PocketsrError):
    """A setting is unknown, out of range, or clashes with another."""


class DataError(PocketsrError):
    """A folder of images is empty, missing or laid out wrongly; a record of an evaluation is none."""


class CheckpointError(PocketsrError):
    """A training checkpoint cannot be read or continued."""


class TrainingError(PocketsrError):
    """Training cannot go on: the loss is no number, or the disk is full."""


class LoweringError(PocketsrError):
    """A network does something that a model file cannot hold."""


class ParityError(PocketsrError):
    """A model file does not compute what its network computes."""


class DeviceError(PocketsrError):
    """A phone cannot be reached, or a program on it fails."""


class MissingExtraError(PocketsrError, ImportError):
    """An optional package is not installed."""

    @classmethod
    def for_extra(cls, package: str, extra: str) -> MissingExtraError:
        """Name the missing package and the command that brings it.

        >>> print(MissingExtraError.for_extra("torch", "train"))
        this needs the package 'torch': pip install 'pocketsr[train]'
        """
        return cls(f"this needs the package {package!r}: pip install 'pocketsr[{extra}]'")
