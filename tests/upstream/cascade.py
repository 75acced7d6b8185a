"""Miniatures of the cascading and Fourier networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upstream.parts import conv, frozen, holder

# -- CARN, PCARN ------------------------------------------------------------------------------------------------------


def mean_shift(factor: float) -> nn.Conv2d:
    mean = torch.tensor([0.4488, 0.4371, 0.4040])
    return frozen(conv(3, 3, 1), torch.eye(3).reshape(3, 3, 1, 1), mean * factor)


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
        sub_mean=holder(shifter=mean_shift(-1)),
        add_mean=holder(shifter=mean_shift(1)),
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

    first = module.entry(module.sub_mean.shifter(image))
    features = cascade(module, first, lambda part, x: cascade(part, x, residual))
    features = features if wrapped else features + first
    return module.add_mean.shifter(module.exit(module.upsample.up4.body(features)))


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
    module = holder(
        initial=nn.Sequential(separable(3, 64)),
        **blocks,
        upsampler=nn.Sequential(*(layer for doubling in doublings for layer in doubling)),
        final_conv=separable(64, 3),
        sub_mean=mean_shift(-255),
        add_mean=mean_shift(255),
    )
    if kind == "light":
        for part in [each for each in module.modules() if isinstance(each, nn.PReLU)]:
            watched = nn.Module()
            for name in ("x_min", "x_max", "beta", "beta_t"):
                watched.register_buffer(name, torch.ones(1))
            part.add_module("quantAct", watched)
    return module


def run_f2srgan(module: nn.Module, image: Tensor) -> Tensor:
    first = module.initial(module.sub_mean(image * 255))
    features = first
    pairs = [module.residual] if hasattr(module, "residual") else [module.residual1, *[module.residual2] * 3]
    for pair in pairs:
        for block in pair:
            features = features + 0.1 * block.block2(block.block1(features))
    return module.add_mean(module.final_conv(module.upsampler(features + first))) / 255
