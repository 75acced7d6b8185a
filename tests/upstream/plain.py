"""Miniatures of the plain networks."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upstream.parts import conv, frozen, holder

# -- NCNet ------------------------------------------------------------------------------------------------------------


def ncnet(scale: int) -> nn.Module:
    widths = [3, 32, 32, 32, 32, 32, 3 * scale**2, 3 * scale**2]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [conv(inputs, outputs), nn.ReLU()]
    return holder(body=nn.Sequential(*layers[:-1]))


def run_ncnet(module: nn.Module, image: Tensor) -> Tensor:
    x = image * 255
    subpixels = module.body(x)
    scale = round((subpixels.shape[1] / 3) ** 0.5)
    subpixels = subpixels + x.repeat_interleave(scale**2, dim=1)
    for factor in (2, 2) if scale == 4 else (scale,):
        subpixels = F.pixel_shuffle(subpixels, factor)
    return subpixels.clamp(0, 255) / 255


# -- ABPN -------------------------------------------------------------------------------------------------------------


def abpn(scale: int) -> nn.Module:
    subpixels = 3 * scale**2
    blocks = [nn.Sequential(conv(28, 28), nn.ReLU()) for _ in range(4)]
    ends = [conv(28, subpixels), nn.ReLU(), conv(subpixels, subpixels)]
    return holder(backbone=nn.Sequential(conv(3, 28), nn.ReLU(), *blocks, *ends))


def run_abpn(module: nn.Module, image: Tensor) -> Tensor:
    subpixels = module.backbone(image)
    scale = round((subpixels.shape[1] / 3) ** 0.5)
    return F.pixel_shuffle(subpixels + image.repeat_interleave(scale**2, dim=1), scale).clamp(0, 1)


# -- XLSR -------------------------------------------------------------------------------------------------------------


def xlsr() -> nn.Module:
    blocks = [holder(conv0=conv(32, 32, groups=4), conv1=conv(32, 32, 1)) for _ in range(3)]
    return holder(
        **{f"conv0_{index}": holder(conv=conv(3, 8)) for index in range(4)},
        conv1=conv(3, 16),
        conv2=conv(32, 32, 1),
        conv3=holder(conv=conv(48, 32, 1)),
        conv4=conv(32, 27),
        Gblocks=nn.Sequential(*blocks),
    )


def run_xlsr(module: nn.Module, image: Tensor) -> Tensor:
    x = image.flip(1)  # their images are blue, green, red
    features = torch.cat([F.relu(getattr(module, f"conv0_{index}").conv(x)) for index in range(4)], dim=1)
    features = module.conv2(features)
    for block in module.Gblocks:
        features = block.conv1(F.relu(block.conv0(features)))
    features = F.relu(module.conv3.conv(torch.cat([features, module.conv1(x)], dim=1)))
    return F.pixel_shuffle(module.conv4(features).clamp(0, 1), 3).flip(1)


def aimet_xlsr() -> nn.Module:
    blocks = [holder(net=nn.Sequential(conv(32, 32, groups=4), nn.ReLU(), conv(32, 32, 1))) for _ in range(3)]
    return holder(
        residual=conv(3, 16),
        cnn=nn.Sequential(conv(3, 32), nn.ReLU(), conv(32, 32, 1), *blocks),
        tail=nn.Sequential(conv(48, 32, 1), nn.ReLU(), conv(32, 12)),
    )


def run_aimet_xlsr(module: nn.Module, image: Tensor) -> Tensor:
    features = image
    for layer in module.cnn:
        features = layer.net(features) if hasattr(layer, "net") else layer(features)
    output = module.tail(torch.cat([features, module.residual(image)], dim=1))
    return F.pixel_shuffle(output, 2).clamp(0, 1)


# -- SESR -------------------------------------------------------------------------------------------------------------


def sesr(*, collapsed: bool, scale: int) -> nn.Module:
    def linear(inputs: int, outputs: int, kernel: int) -> nn.Module:
        if collapsed:
            return holder(conv_expand=conv(inputs, outputs, kernel))
        return holder(conv_expand=conv(inputs, 24, kernel, bias=False), conv_squeeze=conv(24, outputs, 1))

    copies = torch.zeros(3 * scale**2, 3, 1, 1)
    for colour in range(3):
        copies[colour * scale**2 : (colour + 1) * scale**2, colour] = 1
    return holder(
        anchor=holder(net=frozen(conv(3, 3 * scale**2, 1), copies, torch.zeros(3 * scale**2))),
        conv_first=linear(3, 16, 5),
        residual_block=nn.Sequential(*(linear(16, 16, 3) for _ in range(3))),
        conv_last=linear(16, 3 * scale**2, 5),
    )


def run_sesr(module: nn.Module, image: Tensor) -> Tensor:
    def linear(part: nn.Module, x: Tensor) -> Tensor:
        return part.conv_squeeze(part.conv_expand(x)) if hasattr(part, "conv_squeeze") else part.conv_expand(x)

    first = F.relu(linear(module.conv_first, image))
    features = first
    for part in module.residual_block:
        # A collapsed block has its identity in the kernel.
        identity = features if hasattr(part, "conv_squeeze") else 0
        features = F.relu(identity + linear(part, features))
    subpixels = linear(module.conv_last, features + first)
    scale = round((subpixels.shape[1] / 3) ** 0.5)
    return F.pixel_shuffle(subpixels + module.anchor.net(image), scale).clamp(0, 1)


# -- LRSRN, RTSRN -----------------------------------------------------------------------------------------------------


def lrsrn(kind: str) -> nn.Module:
    def rep(inputs: int, outputs: int) -> nn.Module:
        block = holder(conv0=conv(inputs, 20), conv1=conv(20, outputs, 1))
        for index, part in enumerate((block.conv0, block.conv1)):
            block.register_parameter(f"w{index}", part.weight)
            block.register_parameter(f"b{index}", part.bias)
        if kind == "v2" and inputs != outputs:
            block.add_module("conv1_res", conv(inputs, outputs, 1))
        return block

    def plain(inputs: int, outputs: int) -> nn.Module:
        return holder(conv3x3=conv(inputs, outputs))

    ends = plain if kind in ("backbone", "deploy") else rep
    body = plain if kind == "deploy" else rep
    return holder(
        head=ends(3, 32),
        backbone=nn.Sequential(*(body(32, 32) for _ in range(4))),
        transition=nn.Sequential(ends(32, 12)),
    )


def run_lrsrn(module: nn.Module, image: Tensor) -> Tensor:
    def layer(part: nn.Module, x: Tensor) -> Tensor:
        if hasattr(part, "conv3x3"):
            return part.conv3x3(x)
        y = part.conv1(part.conv0(x))
        if y.shape[1] == x.shape[1]:
            return y + x
        return y + part.conv1_res(x) if hasattr(part, "conv1_res") else y

    first = F.relu(layer(module.head, image))
    features = first
    for part in module.backbone:
        features = F.relu(layer(part, features))
    return F.pixel_shuffle(layer(module.transition[0], features + first), 2)


def rtsrn(*, linear: bool) -> nn.Module:
    body: list[nn.Module] = []
    for index in range(5):
        body.append(conv(16, 16))
        if not linear and index < 4:
            body.append(nn.ReLU())
    return holder(
        head=nn.Sequential(conv(3, 16)),
        body=nn.Sequential(*body),
        upsample=nn.Sequential(conv(16, 27), nn.PixelShuffle(3)),
    )


def run_rtsrn(module: nn.Module, image: Tensor) -> Tensor:
    first = module.head(image)
    return module.upsample(first + module.body(first))


# -- ETDS, SPAN -------------------------------------------------------------------------------------------------------


def etds() -> nn.Module:
    return holder(
        conv_first=conv(3, 13),
        conv_residual_first=conv(3, 3),
        backbone_convs=nn.ModuleList(conv(13, 13) for _ in range(3)),
        residual_convs=nn.ModuleList(conv(3, 3) for _ in range(3)),
        add_residual_convs=nn.ModuleList(conv(3, 13) for _ in range(3)),
        conv_last=conv(13, 12),
        conv_residual_last=conv(3, 12),
    )


def run_etds(module: nn.Module, image: Tensor) -> Tensor:
    x, r = F.relu(module.conv_first(image)), F.relu(module.conv_residual_first(image))
    for along, carried, across in zip(
        module.backbone_convs, module.residual_convs, module.add_residual_convs, strict=True
    ):
        x, r = F.relu(along(x) + across(r)), F.relu(carried(r))
    return F.pixel_shuffle(module.conv_last(x), 2) + F.pixel_shuffle(module.conv_residual_last(r), 2)


def span() -> nn.Module:
    def conv3xc(inputs: int, outputs: int) -> nn.Module:
        inner = nn.Sequential(
            nn.Conv2d(inputs, 2 * inputs, 1), nn.Conv2d(2 * inputs, 2 * outputs, 3), nn.Conv2d(2 * outputs, outputs, 1)
        )
        return holder(sk=nn.Conv2d(inputs, outputs, 1), conv=inner, eval_conv=conv(inputs, outputs))

    blocks = {
        f"block_{number}": holder(**{name: conv3xc(8, 8) for name in ("c1_r", "c2_r", "c3_r")})
        for number in range(1, 7)
    }
    return holder(
        conv_1=conv3xc(3, 8),
        **blocks,
        conv_cat=conv(32, 8, 1),
        conv_2=conv3xc(8, 8),
        upsampler=nn.Sequential(conv(8, 12), nn.PixelShuffle(2)),
    )


def run_span(module: nn.Module, image: Tensor) -> Tensor:
    def conv3xc(part: nn.Module, x: Tensor) -> Tensor:
        return part.conv(F.pad(x, (1, 1, 1, 1))) + part.sk(x)

    mean = torch.tensor([0.4488, 0.4371, 0.4040]).reshape(1, 3, 1, 1)
    first = conv3xc(module.conv_1, (image - mean) * 255)
    features, outputs, inside = first, [], first
    for number in range(1, 7):
        block = getattr(module, f"block_{number}")
        inside = F.silu(conv3xc(block.c1_r, features))
        y = conv3xc(block.c3_r, F.silu(conv3xc(block.c2_r, inside)))
        features = (y + features) * (torch.sigmoid(y) - 0.5)
        outputs.append(features)
    joined = torch.cat([first, conv3xc(module.conv_2, features), outputs[0], inside], dim=1)
    return module.upsampler(module.conv_cat(joined))
