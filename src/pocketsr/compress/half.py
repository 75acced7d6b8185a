"""Half precision: a network in float16, its Fourier units in float32, as Light F2SRGAN deploys it.

    image (float32) ─► float16 layers ─► Fourier unit: float32 ─► float16 layers ─► image (float32)

A spectrum does not fit float16: without normalisation the sum of an image of 1080² halves is 583,200, and float16 ends
at 65,504. With orthonormal transforms, as the network has them, that sum is 540; what is lost then is precision: 11
bits beside coefficients a thousand times smaller.

Source:
    Light F2SRGAN (2023), and its code (``model.half()`` with casts around the Fourier unit). Its 16-bit integers
    (``fake_quantise``) are switched off there when it runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.blocks.fourier import FourierUnit
from pocketsr.errors import SettingError

#: The largest float16.
_LARGEST = torch.finfo(torch.float16).max


class HalfNetwork(Network):
    """A network that computes in float16.

    An activation beyond 65,504 becomes infinite and then no number at all; ``first_overflow`` says where.

    Args:
        network: Any network; it is folded and copied.

    Raises:
        SettingError: A weight is too large for float16.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.scale, self.channels = network.scale, network.channels
        inside = copy.deepcopy(network.folded()).eval()
        for name, value in inside.state_dict().items():
            if value.is_floating_point() and value.abs().max() > _LARGEST:
                raise SettingError(f"{name} reaches {float(value.abs().max()):.3g}; float16 ends at {_LARGEST:.0f}")
        for module in inside.modules():
            if not isinstance(module, FourierUnit):
                _halve(module)
        self.inside = inside

    def forward(self, image: Tensor) -> Tensor:
        """Upscale float32 ``(N, C, H, W)`` in 0..1; returns float32."""
        output: Tensor = self.inside(image.half())
        return output.float()

    @torch.no_grad()
    def first_overflow(self, image: Tensor) -> str | None:
        """Run an image and name the first part whose output is no finite number; None where all are.

        Parts are named as in the folded network. What overflows spreads: the part that is named is where to look.
        """
        found: list[str] = []

        def looking(name: str) -> Callable[[nn.Module, object, object], None]:
            def look(_module: nn.Module, _inputs: object, output: object) -> None:
                if isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
                    found.append(name)

            return look

        # Parts end before the parts they are in, so the first to end is the innermost.
        hooks = [part.register_forward_hook(looking(name)) for name, part in self.inside.named_modules()]
        try:
            self(image)
        finally:
            for hook in hooks:
                hook.remove()
        return (found[0] or "the network itself") if found else None


def _halve(module: nn.Module) -> None:
    """Turn a module's own weights to float16, not those of its parts."""
    for name, parameter in module.named_parameters(recurse=False):
        setattr(module, name, nn.Parameter(parameter.detach().half(), requires_grad=False))
    for name, buffer in module.named_buffers(recurse=False):
        if buffer.is_floating_point():
            setattr(module, name, buffer.half())
