"""What the user may ask of a video's encoding. Values and their checks; knows nothing of encoders."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pocketsr.errors import SettingError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoding:
    """How the output is encoded.

    Attributes:
        codec: Encoder, as libavcodec calls it; empty chooses one for the container.
        crf: Quality of encoders that have such a scale, lower is better; None takes the default for the encoder.
        preset: How much work an encoder spends; empty takes the default for the encoder.
        pixel_format: As libavutil calls it; empty takes what is nearest to the input.
        bit_rate: Bits a second instead of a quality; None for quality.
        options: Further options of the encoder by name.
        container_options: Options of the container by name, as ``movflags``. One it does not know has no effect.
        drop_streams: Leave out streams that the container cannot hold instead of stopping.
        pipe: What standard output is: y4m, raw, nut, mkv or ts.
        is_preview: Put the input, enlarged by bicubic, on the left of each picture.
    """

    codec: str = ""
    crf: float | None = None
    preset: str = ""
    pixel_format: str = ""
    bit_rate: int | None = None
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    container_options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    drop_streams: bool = False
    pipe: str = "y4m"
    is_preview: bool = False

    def __post_init__(self) -> None:
        if self.crf is not None and self.bit_rate is not None:
            raise SettingError("--crf asks for a quality and --bit-rate for a size; name one of them")
        if self.crf is not None and not 0 <= self.crf <= 63:
            raise SettingError(f"crf needs to be from 0 to 63 (51 for x264 and x265), not {self.crf:g}")
        if self.bit_rate is not None and self.bit_rate < 1000:
            raise SettingError(f"the bit rate needs to be 1000 bits a second or more, not {self.bit_rate}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Raw:
    """Pictures without a container: planes one after the other.

    Attributes:
        width: Pixels.
        height: Pixels.
        pixel_format: As libavutil calls it.
    """

    width: int
    height: int
    pixel_format: str = "yuv420p"

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise SettingError(f"raw pictures need 1 pixel or more a side, not {self.width}×{self.height}")
