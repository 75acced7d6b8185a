"""Miniatures of public networks: their module names and their arithmetic, written from their descriptions.

Each proves one mapping of ``pocketsr.importing``: its state dict is what the public code saves.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **options)


def holder(**parts: nn.Module) -> nn.Module:
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


@dataclasses.dataclass(frozen=True)
class Maker:
    """One miniature: how it is made and run, and what it must be recognised as."""

    source: str
    network: str
    make: Callable[[], nn.Module]
    run: Callable[[nn.Module, Tensor], Tensor]
    scale: int | None = None


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

    return holder(
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
    return F.pixel_shuffle(subpixels + image.repeat_interleave(scale**2, dim=1), scale).clamp(0, 1)


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


# -- the classic ones -------------------------------------------------------------------------------------------------


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


# -- CARN, PCARN ------------------------------------------------------------------------------------------------------

_MEAN = torch.tensor([0.4488, 0.4371, 0.4040]).reshape(1, 3, 1, 1)


def carn(*, wrapped: bool, mobile: bool) -> nn.Module:
    groups = 4 if mobile else 1

    def residual() -> nn.Module:
        convs = [conv(64, 64, groups=groups), conv(64, 64, groups=groups)]
        if mobile:
            convs.append(conv(64, 64, 1))
        if wrapped:
            layers: list[nn.Module] = []
            for layer in convs:
                layers += [layer, nn.ReLU()]
            return holder(body=nn.Sequential(*layers[:-1]))
        return holder(**dict(zip(("conv1", "conv2", "pw"), convs, strict=False)))

    def fuse(inputs: int) -> nn.Module:
        return holder(body=nn.Sequential(conv(64 * inputs, 64, 1), nn.ReLU())) if wrapped else conv(64 * inputs, 64, 1)

    def block() -> nn.Module:
        shared = residual()
        # CARN-M keeps the shared block once, PCARN-M under three names.
        names = ("b1",) if mobile and wrapped else ("b1", "b2", "b3")
        blocks = {name: shared if mobile else residual() for name in names}
        return holder(**blocks, **{f"c{number}": fuse(number + 1) for number in (1, 2, 3)})

    return holder(
        sub_mean=holder(shifter=conv(3, 3, 1)),
        add_mean=holder(shifter=conv(3, 3, 1)),
        entry=conv(3, 64),
        **{f"b{number}": block() for number in (1, 2, 3)},
        **{f"c{number}": fuse(number + 1) for number in (1, 2, 3)},
        upsample=holder(
            up2=holder(body=nn.Sequential(conv(64, 256, groups=groups), nn.ReLU(), nn.PixelShuffle(2))),
            up3=holder(body=nn.Sequential(conv(64, 576, groups=groups), nn.ReLU(), nn.PixelShuffle(3))),
            up4=holder(
                body=nn.Sequential(
                    *(conv(64, 256, groups=groups), nn.ReLU(), nn.PixelShuffle(2)),
                    *(conv(64, 256, groups=groups), nn.ReLU(), nn.PixelShuffle(2)),
                )
            ),
        ),
        exit=conv(64, 3),
    )


def run_carn(module: nn.Module, image: Tensor) -> Tensor:
    wrapped = hasattr(module.c1, "body")

    def residual(part: nn.Module, x: Tensor) -> Tensor:
        if wrapped:
            return F.relu(part.body(x) + x)
        y = part.conv2(F.relu(part.conv1(x)))
        if hasattr(part, "pw"):
            y = part.pw(F.relu(y))
        return F.relu(y + x)

    def fuse(part: nn.Module, x: Tensor) -> Tensor:
        return part.body(x) if wrapped else part(x)

    def cascade(part: nn.Module, x: Tensor, run: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
        kept = out = x
        for number in (1, 2, 3):
            block = getattr(part, f"b{number}", None) or part.b1
            kept = torch.cat([kept, run(block, out)], dim=1)
            out = fuse(getattr(part, f"c{number}"), kept)
        return out

    first = module.entry(image - _MEAN)
    features = cascade(module, first, lambda part, x: cascade(part, x, residual))
    features = features if wrapped else features + first
    return module.exit(module.upsample.up4.body(features)) + _MEAN


# -- F2SRGAN ----------------------------------------------------------------------------------------------------------


def separable(inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True, reflect: bool = False) -> nn.Module:
    mode = "reflect" if reflect else "zeros"
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=bias, padding_mode=mode),
        nn.Conv2d(inputs, outputs, 1),
    )


class Unit(nn.Module):
    """The revised Fourier unit, with its shifts over all axes."""

    def __init__(self) -> None:
        super().__init__()
        self.complex_weight = nn.Parameter(torch.randn(16, 16, 1, 1, 2) * 0.2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.fft.fftshift(torch.fft.rfft2(x, norm="ortho"))
        y = F.conv2d(y, torch.view_as_complex(self.complex_weight))
        return torch.fft.irfft2(torch.fft.ifftshift(y), s=x.shape[-2:], norm="ortho")


class Spectral(nn.Module):
    """The global branch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(separable(32, 16, 1, bias=False), nn.ReLU())
        self.fu, self.lfu = Unit(), Unit()
        self.conv2 = separable(16, 32, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        height, width = x.shape[-2:]
        parts = torch.cat(torch.split(x[:, :4], height // 2, dim=-2)[:2], dim=1)
        parts = torch.cat(torch.split(parts, width // 2, dim=-1)[:2], dim=1)
        tiled = F.pad(self.lfu(parts).repeat(1, 1, 2, 2), (0, width % 2, 0, height % 2))
        return self.conv2(x + self.fu(x) + tiled)


class FFC(nn.Module):
    """The layer of a local and a global half."""

    def __init__(self) -> None:
        super().__init__()
        self.convl2l, self.convl2g, self.convg2l = (separable(32, 32, reflect=True) for _ in range(3))
        self.convg2g = Spectral()

    def forward(self, x: Tensor) -> Tensor:
        near, far = x[:, :32], x[:, 32:]
        return torch.cat([self.convl2l(near) + self.convg2l(far), self.convl2g(near) + self.convg2g(far)], dim=1)


def f2srgan_block(inner: int, *, fourier: bool) -> nn.Module:
    first = FFC() if fourier else separable(64, inner)
    return holder(block1=nn.Sequential(first, nn.PReLU(inner)), block2=nn.Sequential(separable(inner, 64)))


def f2srgan(kind: str) -> nn.Module:
    inner = 1 if kind == "light" else 64
    if kind == "teacher":
        blocks = {"residual": nn.Sequential(*(f2srgan_block(64, fourier=index % 2 == 0) for index in range(4)))}
    else:
        blocks = {
            f"residual{pair}": nn.Sequential(*(f2srgan_block(inner, fourier=False) for _ in range(2)))
            for pair in (1, 2, 3, 4)
        }
    doublings = [(separable(64, 256), nn.PixelShuffle(2), nn.PReLU(64)) for _ in range(1 if kind == "teacher" else 2)]
    return holder(
        initial=nn.Sequential(separable(3, 64)),
        **blocks,
        upsampler=nn.Sequential(*(layer for doubling in doublings for layer in doubling)),
        final_conv=separable(64, 3),
        sub_mean=conv(3, 3, 1),
        add_mean=conv(3, 3, 1),
    )


def run_f2srgan(module: nn.Module, image: Tensor) -> Tensor:
    first = module.initial((image - _MEAN) * 255)
    features = first
    pairs = [module.residual] if hasattr(module, "residual") else [module.residual1, *[module.residual2] * 3]
    for pair in pairs:
        for block in pair:
            features = features + 0.1 * block.block2(block.block1(features))
    return module.final_conv(module.upsampler(features + first)) / 255 + _MEAN


MAKERS = {
    "ncnet": Maker("NCNet (torch)", "ncnet", lambda: ncnet(3), run_ncnet),
    "ncnet-x4": Maker("NCNet (torch)", "ncnet", lambda: ncnet(4), run_ncnet),
    "xlsr": Maker("XLSR", "xlsr", xlsr, run_xlsr),
    "xlsr-aimet": Maker("XLSRRelease", "xlsr", aimet_xlsr, run_aimet_xlsr),
    "sesr": Maker("SESRRelease", "sesr", lambda: sesr(collapsed=False, scale=2), run_sesr),
    "sesr-collapsed-x4": Maker("SESRRelease", "sesr", lambda: sesr(collapsed=True, scale=4), run_sesr),
    **{
        f"lrsrn-{kind}": Maker("LRSRN (plainRepConv)", "lrsrn", lambda kind=kind: lrsrn(kind), run_lrsrn)
        for kind in ("deploy", "backbone", "all", "v2")
    },
    "rtsrn": Maker("RTSRN", "rtsrn", lambda: rtsrn(linear=False), run_rtsrn),
    "rtsrn-linear": Maker("RTSRN", "rtsrn", lambda: rtsrn(linear=True), run_rtsrn),
    "etds": Maker("ETDS", "etds", etds, run_etds),
    "span": Maker("SPAN", "span", span, run_span),
    "srcnn": Maker("SRCNN", "srcnn", srcnn, run_srcnn, 2),
    "fsrcnn": Maker("FSRCNN", "fsrcnn", fsrcnn, run_fsrcnn, 3),
    "espcn": Maker("ESPCN", "espcn", espcn, run_espcn),
    "imdn": Maker("IMDN", "imdn", imdn, run_imdn),
    "imdn-kair": Maker("IMDN (KAIR)", "imdn", kair_imdn, run_kair_imdn),
    "carn": Maker("CARN, CARN-M", "carn", lambda: carn(wrapped=True, mobile=False), run_carn, 4),
    "carn-m": Maker("CARN, CARN-M", "carn", lambda: carn(wrapped=True, mobile=True), run_carn, 4),
    "pcarn": Maker("PCARN, PCARN-M", "pcarn", lambda: carn(wrapped=False, mobile=False), run_carn, 4),
    "pcarn-m": Maker("PCARN, PCARN-M", "pcarn", lambda: carn(wrapped=False, mobile=True), run_carn, 4),
    "f2srgan": Maker("F2SRGAN (teacher)", "f2srgan", lambda: f2srgan("teacher"), run_f2srgan),
    "f2srgan-student": Maker(
        "F2SRGAN student, Light F2SRGAN", "f2srgan-student", lambda: f2srgan("student"), run_f2srgan
    ),
    "f2srgan-light": Maker("F2SRGAN student, Light F2SRGAN", "f2srgan-student", lambda: f2srgan("light"), run_f2srgan),
}
