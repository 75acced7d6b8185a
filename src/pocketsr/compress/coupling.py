"""Coupling: which channels of which layers must go together, by torch-pruning's dependency graph and our rules.

Knows nothing of what a channel is worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    import torch_pruning

#: Layers that hold weights and can lose channels.
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.PReLU, nn.BatchNorm2d)
#: Side of the image that a network is traced with.
_SIDE = 24


class Coupled:
    """Channels that layers share: cutting one out of a layer cuts it out of all.

    Args:
        group: torch-pruning's, with all channels of its root.
        names: Names of the network's modules.
        block: Consecutive channels of the root that are one here: s² before a pixel shuffle.
        parts: Equal parts that must lose as many channels each: groups of grouped convolutions.

    Attributes:
        width: Channels that can be told apart.
        makers: Names of the layers that make these channels.
    """

    def __init__(self, group: torch_pruning.Group, names: dict[nn.Module, str], block: int, parts: int) -> None:
        self._group, self._names, self._block, self.parts = group, names, block, parts
        self.width = len(group[0].idxs) // block
        makers = [item.dep.target.module for item in group if _is(item, "prune_out_channels") and _is_plain(item)]
        self.makers = tuple(dict.fromkeys(names[module] for module in makers))

    @property
    def is_trunk(self) -> bool:
        """Whether several layers add up to these channels."""
        return len(self.makers) > 1

    def rows_of(self, maker: str, channels: Sequence[int]) -> list[int]:
        """Return which outputs of a layer these channels are."""
        wanted = set(channels)
        items = [item for item in self._group if self._names.get(item.dep.target.module) == maker]
        made = [item for item in items if _is(item, "prune_out_channels")]
        rows = [pair for item in made for pair in zip(item.idxs, item.root_idxs, strict=True)]
        return [row for row, root in rows if root // self._block in wanted]

    @torch.no_grad()
    def magnitude(self, power: int) -> Tensor:
        """Return the sum of |w|^power over each channel's weights, ``(width,)``, averaged over the layers."""
        rows = []
        for item in self._group:
            if not isinstance(item.dep.target.module, nn.Conv2d | nn.ConvTranspose2d):
                continue
            strength = _strength(item, power)
            if strength is not None:
                row = torch.zeros(self.width * self._block)
                row.scatter_add_(0, torch.tensor(item.root_idxs), strength.cpu()[torch.tensor(item.idxs)])
                rows.append(row)
        return torch.stack(rows).mean(dim=0).reshape(self.width, self._block).sum(dim=1)

    def slices(self) -> Iterator[tuple[nn.Parameter, int, Tensor, Tensor]]:
        """Yield each layer's weights, the axis that the group cuts, places on it, and which channel each place is."""
        for item in self._group:
            layer = item.dep.target.module
            if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                continue
            is_output = _is(item, "prune_out_channels")
            axis = int(is_output == isinstance(layer, nn.ConvTranspose2d))
            if not is_output and layer.groups > 1:
                continue  # each group of inputs has a part of these weights; its outputs carry the penalty
            weight = layer.weight
            assert isinstance(weight, nn.Parameter)
            yield weight, axis, torch.tensor(item.idxs), torch.tensor(item.root_idxs) // self._block

    def cut(self, channels: Sequence[int]) -> None:
        """Take channels out of every layer, in place: as many from each of ``parts``, at any places in it."""
        self._line_up(channels)
        roots = [channel * self._block + inner for channel in channels for inner in range(self._block)]
        self._group.prune(roots)

    @torch.no_grad()
    def _line_up(self, channels: Sequence[int]) -> None:
        """Move what stays of each group's inputs to the places that stay in the first group.

        torch-pruning takes the same places out of every group of a grouped convolution: those of the first.
        """
        gone = set(channels)
        for item in self._group:
            layer = item.dep.target.module
            if not _is_grouped(layer) or not _is(item, "prune_in_channels"):
                continue
            pairs = sorted(zip(item.idxs, item.root_idxs, strict=True))
            stay = torch.tensor([place for place, root in pairs if root // self._block not in gone])
            places = stay.reshape(layer.groups, -1) % (layer.in_channels // layer.groups)
            for rows, theirs in zip(layer.weight.chunk(layer.groups), places, strict=True):
                rows[:, places[0]] = rows[:, theirs]


def coupled_groups(network: Network) -> list[Coupled]:
    """Return every group of channels that may be pruned.

    Args:
        network: Folded; ``cut`` changes it.

    Raises:
        MissingExtraError: torch-pruning is not installed.
        SettingError: The network has weights that no group can be found for.
    """
    try:
        import torch_pruning
    except ImportError as error:
        raise MissingExtraError.for_extra("torch-pruning", "prune") from error
    _require_layers(network)
    was_training = network.training
    whole = _Whole(network)
    with torch.enable_grad():  # layers are found by how gradients would flow
        image = torch.zeros(1, network.channels, _SIDE, _SIDE, device=whole.entry.weight.device)
        graph = torch_pruning.DependencyGraph().build_dependency(whole, image)
    network.train(was_training)
    _teach_pixel_shuffle(graph)
    names = {module: name for name, module in network.named_modules()}
    found: list[Coupled] = []
    seen: set[nn.Module] = set()
    for module in network.modules():
        if not isinstance(module, nn.Conv2d) or module in seen or module not in graph.module2node:
            continue
        group = _whole_group(graph, module)
        if group is None or _is_fixed(group) or any(item.dep.target.module is whole.entry for item in group):
            continue
        seen.update(item.dep.target.module for item in group if _is(item, "prune_out_channels"))
        coupled = Coupled(group, names, _block(group), _parts(group))
        if coupled.makers:  # a depthwise layer alone only changes what others made: the image
            found.append(coupled)
    return found


class _Whole(nn.Module):
    """A network at every scale that it holds, between a layer that makes its image and products that end it.

    The dependency graph needs to know how many channels an image has where it is concatenated with features, and takes
    the last operation for the output, which must be no layer then.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        device = next((parameter.device for parameter in network.parameters()), None)
        with torch.random.fork_rng(devices=()):  # who trains with sparsity draws what he would without
            self.entry = nn.Conv2d(network.channels, network.channels, 1).to(device)
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the image at each scale."""
        network, image = self.network, self.entry(image)
        scale, outputs = network.scale, []
        for each in network.scales:
            network.scale = each
            outputs.append(network(image) * 1)
        network.scale = scale
        return outputs


def _require_layers(network: Network) -> None:
    """Refuse weights outside of layers that the dependency graph knows: it would look for ever, or cut them wrongly."""
    for name, module in network.named_modules():
        if not isinstance(module, _LAYERS) and next(module.parameters(recurse=False), None) is not None:
            raise SettingError(
                f"{type(network).__name__} cannot be pruned: {name!r} ({type(module).__name__}) holds weights that are "
                "no convolution's; the complex ones of a Fourier unit mix channels that a split has fixed"
            )


def _whole_group(graph: Any, module: nn.Conv2d) -> Any:
    """Return the group of all output channels of a layer, None where the dependency graph cannot follow them."""
    try:
        return graph.get_pruning_group(module, graph.get_pruner_of_module(module).prune_out_channels, _all(module))
    except (IndexError, ZeroDivisionError):  # channels that are split by fixed numbers, or join copies of the image
        return None


def _all(module: nn.Conv2d) -> list[int]:
    return list(range(module.out_channels))


def _teach_pixel_shuffle(graph: Any) -> None:
    """Let indices be divided by s² where s² channels become one, and multiplied where one becomes s²."""
    for node in graph.module2node.values():
        shuffle = int(getattr(node.grad_fn, "_saved_upscale_factor", 0)) if node.grad_fn is not None else 0
        unshuffle = int(getattr(node.grad_fn, "_saved_downscale_factor", 0)) if node.grad_fn is not None else 0
        stride = shuffle**2 or unshuffle**2
        if not stride:
            continue
        for dependency in (one for one in node.dependencies if one.target in node.outputs):
            dependency.index_mapping[0] = _Blocks(stride, joins=bool(shuffle))
        for consumer in node.outputs:
            for dependency in (one for one in consumer.dependencies if one.target is node):
                dependency.index_mapping[0] = _Blocks(stride, joins=bool(unshuffle))


class _Blocks:
    """Indices on the other side of a pixel shuffle: blocks of channels become one, or one becomes a block.

    torch-pruning's indices carry the root channel that they come from; a joined block carries that of its first.
    """

    def __init__(self, size: int, *, joins: bool) -> None:
        self._size, self._joins = size, joins

    def __call__(self, indices: Sequence[Any]) -> list[Any]:
        if self._joins:
            firsts = {index.idx // self._size: index for index in reversed(indices)}
            return [type(index)(idx=place, root_idx=index.root_idx) for place, index in sorted(firsts.items())]
        return [
            type(index)(idx=index.idx * self._size + inner, root_idx=index.root_idx)
            for index in indices
            for inner in range(self._size)
        ]


def _block(group: Any) -> int:
    """Return how many channels of the root are one: those that a pixel shuffle makes one of."""
    return max(1, len(group[0].idxs) // min(len(item.idxs) for item in group))


def _parts(group: Any) -> int:
    """Return into how many equal parts grouped convolutions cut these channels."""
    return math.lcm(*(item.dep.target.module.groups for item in group if _is_grouped(item.dep.target.module)))


def _is_fixed(group: Any) -> bool:
    """Whether channels are shown as an image, split by fixed numbers, belong to a parameter of no layer, or are some of
    the inputs of a grouped layer alone.
    """
    kinds = {item.dep.target.type.name for item in group}
    inputs = [item for item in group if _is(item, "prune_in_channels") and _is_grouped(item.dep.target.module)]
    is_some = any(len(item.idxs) < item.dep.target.module.in_channels for item in inputs)
    return is_some or bool(kinds & {"OUTPUT", "SPLIT", "SLICE", "UNBIND", "PARAMETER"})


def _is_grouped(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups < module.in_channels


def _is(item: Any, function: str) -> bool:
    return str(getattr(item.dep.handler, "__name__", "")) == function


def _is_plain(item: Any) -> bool:
    module = item.dep.target.module
    is_depthwise = isinstance(module, nn.Conv2d) and module.groups > 1 and module.groups == module.in_channels
    return isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not is_depthwise


def _strength(item: Any, power: int) -> Tensor | None:
    """Return each channel's sum of |w|^power in one layer, on the side that the group cuts."""
    layer = item.dep.target.module
    weight: Tensor = layer.weight.detach().abs() ** power
    outputs, inputs = (1, 0) if isinstance(layer, nn.ConvTranspose2d) else (0, 1)
    if _is(item, "prune_out_channels"):
        return weight.transpose(0, outputs).flatten(1).sum(dim=1)
    if _is(item, "prune_in_channels"):
        if _is_grouped(layer):  # each group's inputs have weights of their own
            return torch.cat([rows.sum(dim=(0, 2, 3)) for rows in weight.chunk(layer.groups)])
        return weight.transpose(0, inputs).flatten(1).sum(dim=1)
    return None
