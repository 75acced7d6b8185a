"""Networks: one file each, and this list. A new network is one import and one row here; contract tests find it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pocketsr.blocks import Network
from pocketsr.choice import Choice, make
from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.networks.abpn import ABPN
from pocketsr.networks.bicubic import Bicubic
from pocketsr.networks.carn import CARN
from pocketsr.networks.enhancenet import EnhanceNet
from pocketsr.networks.espcn import ESPCN
from pocketsr.networks.etds import ETDS
from pocketsr.networks.f2srgan import F2SRGAN
from pocketsr.networks.feqe import FEQE
from pocketsr.networks.fsrcnn import FSRCNN
from pocketsr.networks.imdn import IMDN
from pocketsr.networks.lrsrn import LRSRN
from pocketsr.networks.mslapsrn import MSLapSRN
from pocketsr.networks.ncnet import NCNet
from pocketsr.networks.published import PublishedSize, published_sizes
from pocketsr.networks.rtsrn import RTSRN
from pocketsr.networks.scsrn import SCSRN
from pocketsr.networks.sesr import SESR
from pocketsr.networks.sized import SIZES, resized, sizes_of
from pocketsr.networks.span import SPAN
from pocketsr.networks.srcnn import SRCNN
from pocketsr.networks.srresnet import SRResNet
from pocketsr.networks.xlsr import XLSR

__all__ = ["NETWORKS", "SIZES", "NetworkEntry", "PublishedSize", "build", "published_sizes", "sizes_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkEntry:
    """One row of the list.

    Attributes:
        make: The network's class; called with keyword options only.
        scales: Factors it is defined for.
        parameters: Parameters of the folded network by scale, counted from the paper's layers.
        source: Where it was published.
        preset: Options that this row sets; the caller's come on top.
        not_float32: Why it has no float32 ``.tflite``; empty where it has one.
        not_int8: Why it has no int8 ``.tflite``; empty where it has one.
        not_onnx: Why it has no ``.onnx``; empty where it has one.
        not_prunable: Why channels cannot be pruned; empty where they can.
    """

    make: Callable[..., Network]
    scales: tuple[int, ...]
    parameters: Mapping[int, int]
    source: str
    preset: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    not_float32: str = ""
    not_int8: str = ""
    not_onnx: str = ""
    not_prunable: str = ""


_CARN = "Ahn et al., Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network, ECCV 2018"
_PCARN = "Ahn et al., Photo-realistic Image Super-Resolution with Fast and Lightweight Cascading Residual Network"
_FOURIER = "model files have no Fourier transform; its students have none"

NETWORKS: Mapping[str, NetworkEntry] = {
    "abpn": NetworkEntry(
        make=ABPN,
        scales=(2, 3, 4),
        parameters={2: 33_464, 3: 42_539, 4: 62_048},
        source="Du et al., Anchor-based Plain Net for Mobile Image Super-Resolution, CVPRW 2021",
    ),
    "scsrn": NetworkEntry(
        make=SCSRN,
        scales=(2, 3, 4),
        parameters={2: 42_988, 3: 53_008, 4: 73_840},
        source="SCSRN, IEEE Access 2023",
    ),
    "lrsrn": NetworkEntry(
        make=LRSRN,
        scales=(2, 3, 4),
        parameters={2: 41_356, 3: 45_691, 4: 51_760},
        source="LRSRN, CVPRW 2023 (NTIRE real-time 4K)",
    ),
    "ncnet": NetworkEntry(
        make=NCNet,
        scales=(2, 3, 4),
        parameters={2: 42_664, 3: 52_279, 4: 72_544},
        source="Luo et al., Fast Nearest Convolution for Real-Time Efficient Image Super-Resolution, ECCVW 2022",
    ),
    "xlsr": NetworkEntry(
        make=XLSR,
        scales=(2, 3, 4),
        parameters={2: 17_612, 3: 21_947, 4: 28_016},
        source="Ayazoglu, Extremely Lightweight Quantization Robust Real-Time Single-Image SR, CVPRW 2021",
    ),
    "sesr": NetworkEntry(
        make=SESR,
        scales=(2, 3, 4),
        parameters={2: 17_628, 3: 23_643, 4: 32_064},
        source="Bhardwaj et al., Collapsible Linear Blocks for Super-Efficient Super Resolution, MLSys 2022",
    ),
    "rtsrn": NetworkEntry(
        make=RTSRN,
        scales=(2, 3, 4),
        parameters={2: 193_356, 3: 202_011, 4: 214_128},
        source="NTIRE 2023 real-time super-resolution, baseline",
    ),
    "etds": NetworkEntry(
        make=ETDS,
        scales=(2, 3, 4),
        parameters={2: 41_356, 3: 45_691, 4: 51_760},
        source="Chao et al., Equivalent Transformation and Dual Stream Network Construction, CVPR 2023",
    ),
    "span": NetworkEntry(
        make=SPAN,
        scales=(2, 3, 4),
        parameters={2: 410_700, 3: 417_195, 4: 426_288},
        source="Wan et al., Swift Parameter-free Attention Network, CVPRW 2024",
        not_int8="gated features are joined with plain ones a thousand times larger; one 8-bit scale cannot hold both",
    ),
    "fsrcnn": NetworkEntry(
        make=FSRCNN,
        scales=(2, 3, 4),
        parameters={2: 24_511, 3: 24_511, 4: 24_511},
        source="Dong et al., Accelerating the Super-Resolution Convolutional Neural Network, ECCV 2016",
    ),
    "espcn": NetworkEntry(
        make=ESPCN,
        scales=(2, 3, 4),
        parameters={2: 21_284, 3: 22_729, 4: 24_752},
        source="Shi et al., Real-Time Single Image and Video Super-Resolution, CVPR 2016",
    ),
    "srcnn": NetworkEntry(
        make=SRCNN,
        scales=(2, 3, 4),
        parameters={2: 57_281, 3: 57_281, 4: 57_281},
        source="Dong et al., Image Super-Resolution Using Deep Convolutional Networks, TPAMI 2016",
    ),
    "imdn": NetworkEntry(
        make=IMDN,
        scales=(2, 3, 4),
        parameters={2: 694_404, 3: 703_059, 4: 715_176},
        source="Hui et al., Lightweight Super-Resolution with Information Multi-distillation Network, ACM MM 2019",
        not_int8="its attention takes mean and deviation over the whole image, which 8 bits cannot hold",
    ),
    "carn": NetworkEntry(
        make=CARN,
        scales=(2, 3, 4),
        parameters={2: 964_163, 3: 1_148_803, 4: 1_111_875},
        source=_CARN,
        preset={"fusion_relu": True, "long_skip": False},
    ),
    "carn-m": NetworkEntry(
        make=CARN,
        scales=(2, 3, 4),
        parameters={2: 257_027, 3: 303_427, 4: 294_147},
        source=_CARN,
        preset={"fusion_relu": True, "long_skip": False, "groups": 4, "recursive": True},
    ),
    "pcarn": NetworkEntry(
        make=CARN,
        scales=(2, 3, 4),
        parameters={2: 964_163, 3: 1_148_803, 4: 1_111_875},
        source=_PCARN,
    ),
    "pcarn-m": NetworkEntry(
        make=CARN,
        scales=(2, 3, 4),
        parameters={2: 257_027, 3: 303_427, 4: 294_147},
        source=_PCARN,
        preset={"groups": 4, "recursive": True},
    ),
    "f2srgan": NetworkEntry(
        make=F2SRGAN,
        scales=(2, 4),
        parameters={2: 184_865, 4: 202_209},
        source="F2SRGAN, the teacher of Light F2SRGAN, 2023",
        not_float32=_FOURIER,
        not_int8=_FOURIER,
        not_onnx=_FOURIER,
        not_prunable="complex weights of its Fourier units mix channels that a split has fixed; prune its student",
    ),
    "f2srgan-student": NetworkEntry(
        make=F2SRGAN,
        scales=(2, 4),
        parameters={2: 57_121, 4: 74_465},
        source="Light F2SRGAN, 2023: the student before pruning",
        preset={"depth": 8, "fourier": False, "tied": True},
    ),
    "f2srgan-light": NetworkEntry(
        make=F2SRGAN,
        scales=(2, 4),
        parameters={2: 21_841, 4: 39_185},
        source="Light F2SRGAN, 2023",
        preset={"depth": 8, "fourier": False, "tied": True, "inner": 1},
    ),
    "srresnet": NetworkEntry(
        make=SRResNet,
        scales=(2, 4),
        parameters={2: 1_397_525, 4: 1_545_238},
        source="Ledig et al., Photo-Realistic Single Image Super-Resolution Using a GAN, CVPR 2017",
    ),
    "enhancenet": NetworkEntry(
        make=EnhanceNet,
        scales=(4,),
        parameters={4: 852_867},
        source="Sajjadi et al., EnhanceNet, ICCV 2017",
    ),
    "feqe": NetworkEntry(
        make=FEQE,
        scales=(4,),
        parameters={4: 96_464},
        source="Vu et al., Fast and Efficient Image Quality Enhancement, ECCVW 2018",
    ),
    "mslapsrn": NetworkEntry(
        make=MSLapSRN,
        scales=(2, 4),
        parameters={2: 222_801, 4: 222_801},
        source="Lai et al., Fast and Accurate Super-Resolution with Deep Laplacian Pyramid Networks, TPAMI 2019",
    ),
    "bicubic": NetworkEntry(
        make=Bicubic,
        scales=(2, 3, 4),
        parameters={2: 0, 3: 0, 4: 0},
        source="Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981",
        not_prunable="it has no channels but the image's",
    ),
}


def build(name: str, options: Mapping[str, Any]) -> Network:
    """Make the network of that name with those keyword options.

    The option ``sizes``, which every network has, makes its folded form with other shapes: a pruned network.

    Raises:
        UnknownNameError: No network has that name.
        SettingError: The network does not take one of the options, or not that value.
    """
    if name not in NETWORKS:
        raise UnknownNameError.among("network", name, NETWORKS)
    entry = NETWORKS[name]
    own = {key: value for key, value in options.items() if key != SIZES}
    choice = Choice(name=name, options={**entry.preset, **own})
    try:
        network = make("network", {name: entry.make}, choice)
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:  # what torch says to no sizes
        raise SettingError(f"network {choice} cannot be made: {error}") from error
    return resized(network.folded(), options[SIZES]) if SIZES in options else network
