"""Who goes when a network is pruned, and who stays whatever happens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.data import Pair
from pocketsr.errors import SettingError
from pocketsr.image import downscale
from pocketsr.networks import SIZES, build, sizes_of
from pocketsr.networks.saved import save_network
from pocketsr.train import read_checkpoint, recipe_from, restore, train

pytest.importorskip("torch_pruning", reason="pruning needs torch-pruning: pip install 'pocketsr[prune]'")
from pocketsr.compress.coupling import coupled_groups
from pocketsr.compress.integer import REWRITES
from pocketsr.compress.prune import IMPORTANCES, Pruning, prune, rounds


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build("abpn", {"scale": 2, "width": 16, "depth": 2})


class Doorstep(Network):
    """Concatenates the image with four features, the image first."""

    scale = 1

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(7, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.tail(torch.cat([image, self.head(image)], dim=1))
        return output


def widths(network: Network) -> list[int]:
    return [network.head.out_channels, *(conv.out_channels for conv in network.body), network.tail.out_channels]


def test_the_smallest_channels_go_first(network: Network) -> None:
    with torch.no_grad():
        network.head.weight[[2, 5]] *= 1e-3
        network.body[0].weight[:, [2, 5]] *= 1e-3
    kept = network.head.weight.detach()[[i for i in range(16) if i not in (2, 5)]]
    pruned = prune(network, Pruning(ratio=2 / 60))  # 60 channels in all: 3 × 16 and 12 sub-pixels
    assert torch.equal(pruned.head.weight, kept)
    assert widths(pruned) == [14, 16, 16, 12]
    assert widths(network) == [16, 16, 16, 12]


def test_lamp_is_a_channels_square_over_all_that_are_as_large(network: Network) -> None:
    group = coupled_groups(network.folded())[0]
    squares, scores = group.magnitude(2), IMPORTANCES["lamp"](group)
    for index in range(group.width):
        assert scores[index] == pytest.approx(
            float(squares[index] / squares[squares >= squares[index]].sum()), rel=1e-5
        )
    assert scores.max() == 1


def test_magnitude_is_the_mean_over_the_layers_on_both_sides(network: Network) -> None:
    plain = network.folded()
    expected = (plain.head.weight.abs().sum(dim=(1, 2, 3)) + plain.body[0].weight.abs().sum(dim=(0, 2, 3))) / 2
    torch.testing.assert_close(coupled_groups(plain)[0].magnitude(1), expected)


@settings(max_examples=12, deadline=None)
@given(
    ratio=st.floats(0, 0.95),
    importance=st.sampled_from(sorted(IMPORTANCES)),
    scope=st.sampled_from(["global", "local"]),
    multiple=st.sampled_from([1, 2, 8]),
)
def test_every_width_is_a_multiple_and_something_is_left(
    ratio: float, importance: str, scope: str, multiple: int
) -> None:
    torch.manual_seed(0)
    network = build("abpn", {"scale": 2, "width": 16, "depth": 2})
    pruned = prune(network, Pruning(ratio=ratio, importance=importance, scope=scope, multiple=multiple))  # type: ignore[arg-type]
    for after, before in zip(widths(pruned), widths(network), strict=True):
        assert 0 < after <= before
        assert after % multiple == 0 or after == before
    if scope == "local" and multiple == 1:
        assert widths(pruned)[0] == 16 - int(16 * ratio)


def test_a_trunk_can_be_protected_and_layers_kept() -> None:
    network = build("lrsrn", {"scale": 2, "width": 8, "depth": 3}).folded()
    pruned = prune(network, Pruning(ratio=0.5, scope="local", protect_trunk=True))
    assert pruned.head.out_channels == 8
    assert pruned.body[0].out_channels == 4
    pruned = prune(network, Pruning(ratio=0.5, scope="local", keep=("body.0",)))
    assert (pruned.body[0].out_channels, pruned.body[1].out_channels) == (8, 4)


def test_grouped_layers_lose_as_many_channels_in_every_group() -> None:
    pruned = prune(build("xlsr", {}), Pruning(ratio=0.4))
    for block in pruned.body:
        assert block.grouped.groups == 4
        assert block.grouped.in_channels % 4 == block.grouped.out_channels % 4 == 0


@pytest.mark.parametrize("name", ["xlsr", "pcarn-m"])
def test_grouped_layers_can_be_pruned_again_and_again_and_are_built_again(name: str) -> None:
    network = build(name, {"width": 16})
    plain, image = network.folded(), torch.rand(1, 3, 9, 7)
    for _ in range(3):
        network = prune(network, Pruning(ratio=0.8, scope="local"))
    grouped = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.groups > 1]
    assert all(conv.in_channels >= 2 * conv.groups and conv.out_channels >= 2 * conv.groups for conv in grouped)
    again = build(name, {"width": 16, SIZES: sizes_of(network, plain)})
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(image), network(image))


def test_what_grouped_layers_read_counts_in_its_own_group() -> None:
    torch.manual_seed(0)
    network = build("xlsr", {"width": 8}).folded()
    group = next(one for one in coupled_groups(network) if one.makers == ("mix",))
    made, read = network.mix.weight.detach().abs(), network.body[0].grouped.weight.detach().abs()
    # 4 groups: outputs 0 and 1 see channels 0 and 1, outputs 2 and 3 see 2 and 3, and so on.
    expected = [made[one].sum() + read[one // 2 * 2 : one // 2 * 2 + 2, one % 2].sum() for one in range(8)]
    torch.testing.assert_close(group.magnitude(1), torch.stack(expected) / 2)


def test_features_behind_the_image_in_a_concatenation_are_found() -> None:
    network = Doorstep()
    pruned = prune(network, Pruning(ratio=0.5, scope="local"))
    kept = network.head.weight.detach().pow(2).sum(dim=(1, 2, 3)) + network.tail.weight.detach()[:, 3:].pow(2).sum(
        dim=(0, 2, 3)
    )
    expected = sorted(kept.argsort()[2:].tolist())
    assert torch.equal(pruned.tail.weight, network.tail.weight[:, [0, 1, 2, *(3 + index for index in expected)]])


def test_random_numbers_of_the_caller_go_on(network: Network) -> None:
    state = torch.get_rng_state()
    prune(network, Pruning(ratio=0.3, importance="random"))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_pruned_network_trains_stops_and_resumes_to_the_same_bits_and_to_integers(
    network: Network, tmp_path: Path
) -> None:
    options = {"scale": 2, "width": 16, "depth": 2}
    pruned = prune(network, Pruning(ratio=0.4))
    options = {**options, SIZES: sizes_of(pruned, network.folded())}
    save_network(pruned, tmp_path / "pruned.safetensors", name="abpn", options=options)
    stage = {"steps": 3, "batch": 2, "patch": 8, "precision": "fp32"}
    stages = [{"name": "a", **stage}, {"name": "b", "arithmetic": "integer", **stage}]
    recipe = recipe_from({"name": "x", "network": {"name": "abpn", "options": options}, "stages": stages})
    high = np.random.default_rng(0).integers(0, 256, (40, 36, 3), dtype=np.uint8)
    pairs = [Pair(low=downscale(high, 2), high=high, name="x")]
    start = tmp_path / "pruned.safetensors"
    whole = train(recipe, pairs, folder=tmp_path / "whole", start=start, rewrites=REWRITES)
    stopped = tmp_path / "stopped"
    train(recipe, pairs, folder=stopped, start=start, rewrites=REWRITES, should_stop=lambda: True)
    again = train(recipe, pairs, folder=stopped, resume=True, rewrites=REWRITES)
    assert again.is_finished
    assert again.average.keys() == whole.average.keys()
    assert all(torch.equal(again.average[name], value) for name, value in whole.average.items())
    trained = restore(read_checkpoint(stopped / "a.pt"), REWRITES)
    assert widths(trained) == widths(pruned)


def test_rounds_leave_what_one_pruning_leaves() -> None:
    left = 1.0
    for ratio in rounds(0.6, 4):
        left *= 1 - ratio
    assert left == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ratio": 1.0}, "below 1"),
        ({"ratio": 0.1, "multiple": 0}, "multiples of 1 or more"),
        ({"ratio": 0.1, "importance": "l3"}, "one of random, l1"),
        ({"ratio": 0.1, "scope": "golbal"}, "global or local"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Pruning(**settings)  # type: ignore[arg-type]


def test_a_pattern_that_names_no_layer_is_refused(network: Network) -> None:
    with pytest.raises(SettingError, match="no layer is called 'haed'"):
        prune(network, Pruning(ratio=0.1, keep=("haed",)))


@pytest.mark.parametrize(
    ("sizes", "words"), [({"haed.weight": [4, 3, 3, 3]}, "does not have"), ({"head.weight": [4, 3]}, "4 sides")]
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, list[int]], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build("abpn", {SIZES: sizes})
