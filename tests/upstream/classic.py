"""Miniatures of the classic networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upstream.parts import conv, holder


def srcnn() -> nn.Module:
    return holder(conv1=conv(1, 64, 9), conv2=conv(64, 32, 5), conv3=conv(32, 1, 5))


def run_srcnn(module: nn.Module, image: Tensor) -> Tensor:
    from pocketsr.blocks import BicubicUpsample

    x = BicubicUpsample(2, 1)(image)
    return module.conv3(F.relu(module.conv2(F.relu(module.conv1(x)))))


def fsrcnn() -> nn.Module:
    mid: list[nn.Module] = [conv(56, 12, 1), nn.PReLU(12)]
    for _ in range(4):
        mid += [conv(12, 12), nn.PReLU(12)]
    mid += [conv(12, 56, 1), nn.PReLU(56)]
    return holder(
        first_part=nn.Sequential(conv(1, 56, 5), nn.PReLU(56)),
        mid_part=nn.Sequential(*mid),
        last_part=nn.ConvTranspose2d(56, 1, 9, stride=3, padding=4, output_padding=2),
    )


def run_fsrcnn(module: nn.Module, image: Tensor) -> Tensor:
    return module.last_part(module.mid_part(module.first_part(image)))


def espcn() -> nn.Module:
    return holder(
        first_part=nn.Sequential(conv(1, 64, 5), nn.Tanh(), conv(64, 32), nn.Tanh()),
        last_part=nn.Sequential(conv(32, 9), nn.PixelShuffle(3)),
    )


def run_espcn(module: nn.Module, image: Tensor) -> Tensor:
    return module.last_part(module.first_part(image))


def srresnet() -> nn.Module:
    def block(*layers: nn.Module) -> nn.Module:
        return holder(conv_block=nn.Sequential(*layers))

    def residual() -> nn.Module:
        return holder(
            conv_block1=block(conv(16, 16), nn.BatchNorm2d(16), nn.PReLU()),
            conv_block2=block(conv(16, 16), nn.BatchNorm2d(16)),
        )

    module = holder(
        conv_block1=block(conv(3, 16, 9), nn.PReLU()),
        residual_blocks=nn.Sequential(residual(), residual()),
        conv_block2=block(conv(16, 16), nn.BatchNorm2d(16)),
        subpixel_convolutional_blocks=nn.Sequential(*(holder(conv=conv(16, 64), prelu=nn.PReLU()) for _ in range(2))),
        conv_block3=block(conv(16, 3, 9), nn.Tanh()),
    )
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    return module


def run_srresnet(module: nn.Module, image: Tensor) -> Tensor:
    mean, deviation = (
        torch.tensor(each).reshape(1, 3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    first = module.conv_block1.conv_block((image - mean) / deviation)
    features = first
    for part in module.residual_blocks:
        features = part.conv_block2.conv_block(part.conv_block1.conv_block(features)) + features
    features = module.conv_block2.conv_block(features) + first
    for part in module.subpixel_convolutional_blocks:
        features = part.prelu(F.pixel_shuffle(part.conv(features), 2))
    return (module.conv_block3.conv_block(features) + 1) / 2


def _distil(x: Tensor, convs: list[nn.Module], last: nn.Module) -> Tensor:
    kept, features = [], x
    for layer in convs:
        part, features = torch.split(F.leaky_relu(layer(features), 0.05), (16, 48), dim=1)
        kept.append(part)
    return torch.cat([*kept, last(features)], dim=1)


def imdn() -> nn.Module:
    def block() -> nn.Module:
        gate = nn.Sequential(conv(64, 4, 1), nn.ReLU(), conv(4, 64, 1), nn.Sigmoid())
        return holder(
            c1=conv(64, 64), c2=conv(48, 64), c3=conv(48, 64), c4=conv(48, 16), c5=conv(64, 64, 1),
            cca=holder(conv_du=gate),
        )  # fmt: skip

    return holder(
        fea_conv=conv(3, 64),
        **{f"IMDB{number}": block() for number in range(1, 7)},
        c=nn.Sequential(conv(384, 64, 1), nn.LeakyReLU(0.05)),
        LR_conv=conv(64, 64),
        upsampler=nn.Sequential(conv(64, 12), nn.PixelShuffle(2)),
    )


def run_imdn(module: nn.Module, image: Tensor) -> Tensor:
    first = module.fea_conv(image)
    features, outputs = first, []
    for number in range(1, 7):
        block = getattr(module, f"IMDB{number}")
        joined = _distil(features, [block.c1, block.c2, block.c3], block.c4)
        mean = joined.mean((2, 3), keepdim=True)
        deviation = (joined - mean).pow(2).mean((2, 3), keepdim=True).pow(0.5)
        features = block.c5(joined * block.cca.conv_du(deviation + mean)) + features
        outputs.append(features)
    return module.upsampler(module.LR_conv(module.c(torch.cat(outputs, dim=1))) + first)


def kair_imdn() -> nn.Module:
    def block() -> nn.Module:
        return holder(
            **{f"conv{i + 1}": nn.Sequential(conv(64 if i == 0 else 48, 64), nn.LeakyReLU(0.05)) for i in range(3)},
            conv4=conv(48, 16),
            conv1x1=conv(64, 64, 1),
        )

    body = nn.Sequential(*(block() for _ in range(8)), conv(64, 64))
    return holder(model=nn.Sequential(conv(3, 64), holder(sub=body), conv(64, 27), nn.PixelShuffle(3)))


def run_kair_imdn(module: nn.Module, image: Tensor) -> Tensor:
    first = module.model[0](image)
    features = first
    for block in module.model[1].sub[:-1]:
        joined = _distil(features, [block.conv1[0], block.conv2[0], block.conv3[0]], block.conv4)
        features = block.conv1x1(joined) + features
    return module.model[3](module.model[2](module.model[1].sub[-1](features) + first))
