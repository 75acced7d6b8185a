"""Blocks: the parts that networks are built of. Torch; knows nothing of training, data or files."""

from pocketsr.blocks.attention import ContrastAttention
from pocketsr.blocks.bicubic import BicubicUpsample
from pocketsr.blocks.cascade import Cascade
from pocketsr.blocks.conv_norm import ConvNorm2d
from pocketsr.blocks.fold import fold
from pocketsr.blocks.fourier import FourierConv2d, FourierUnit
from pocketsr.blocks.mean_shift import MeanShift, Normalise
from pocketsr.blocks.network import Network
from pocketsr.blocks.rep_conv import RepConv2d
from pocketsr.blocks.residual_block import ResidualBlock
from pocketsr.blocks.sandwich_conv import SandwichConv2d
from pocketsr.blocks.separable import SeparableConv2d
from pocketsr.blocks.upsample import repeat_pixels

__all__ = [
    "BicubicUpsample",
    "Cascade",
    "ContrastAttention",
    "ConvNorm2d",
    "FourierConv2d",
    "FourierUnit",
    "MeanShift",
    "Network",
    "Normalise",
    "RepConv2d",
    "ResidualBlock",
    "SandwichConv2d",
    "SeparableConv2d",
    "fold",
    "repeat_pixels",
]
