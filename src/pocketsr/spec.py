"""The facts that a model file carries about itself.

Knows nothing of files, images or networks: a frozen value and its JSON form.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

from pocketsr.errors import ModelFileError

Precision = Literal["float32", "int8", "int16x8"]

#: Version of the JSON form; raised when a field changes its meaning.
SPEC_VERSION = 1

#: Lowest and highest of each number that a file may say.
_RANGES: Mapping[str, tuple[int, int]] = {
    "scale": (1, 64),
    "channels": (1, 64),
    "value_range": (1, 65535),
    "receptive_field": (0, 65535),
    "size_multiple": (1, 256),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a model file is, where it came from and how good it was when it was written.

    Attributes:
        name: Name in the catalogue, such as ``"abpn-x3"``.
        network: Name of the network it was lowered from, such as ``"abpn"``.
        scale: Output height over input height, 2, 3 or 4.
        channels: Image channels at both ends; 3 is RGB, 1 is luma.
        precision: Arithmetic of the file: ``"float32"``, ``"int8"``, or ``"int16x8"``, int8 with some values between
            the ends of 16 bits.
        value_range: Value of white in the file's real numbers, 255 or 1. Black is 0. An int8 file holds value − 128.
        receptive_field: Low-resolution pixels that an output pixel looks at beyond its own, in each direction.
            Tiles that overlap by this much join without a seam. None means the whole image: no tiles.
        size_multiple: Input height and width must be multiples of this.
        recipe: Name of the recipe that trained it.
        data: The images it was trained on, in words.
        licence: Licence of the weights (SPDX).
        scores: Figure by name, each name saying data and protocol: ``{"Set5 RGB border 1 PSNR dB": 31.2}``.
    """

    name: str
    network: str
    scale: int
    precision: Precision
    receptive_field: int | None
    channels: int = 3
    value_range: int = 255
    size_multiple: int = 1
    recipe: str = ""
    data: str = ""
    licence: str = ""
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Return the spec as one line of JSON with sorted keys: equal specs give equal bytes.

        >>> spec = ModelSpec(name="a", network="abpn", scale=3, precision="int8", receptive_field=7)
        >>> ModelSpec.from_json(spec.to_json()) == spec
        True
        """
        return json.dumps({"spec_version": SPEC_VERSION, **dataclasses.asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read what ``to_json`` wrote.

        Raises:
            ModelFileError: The text is not a spec, or a newer pocketsr wrote it.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            version = values.pop("spec_version")
            if version > SPEC_VERSION:
                raise ModelFileError(
                    f"the model file has spec version {version}, this pocketsr reads up to {SPEC_VERSION}: upgrade it"
                )
            spec = cls(**values)
            spec._require_sense()
            return spec
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelFileError(f"the model file's description is not one that pocketsr wrote: {error}") from error

    def _require_sense(self) -> None:
        """Refuse facts that no model has: what divides by them or makes memory of them trusts them."""
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if name == "receptive_field" and value is None:
                continue
            if type(value) is not int or not lowest <= value <= highest:
                raise ModelFileError(f"the model file says {name} {value!r}; it is a number from {lowest} to {highest}")
        for name in ("name", "network", "recipe", "data", "licence"):
            if not isinstance(value := getattr(self, name), str) or not value.isprintable():
                raise ModelFileError(f"the model file's {name} is not one line of text: {value!r}")
        if not isinstance(self.scores, Mapping):
            raise ModelFileError("the model file's scores are not figures with names")
