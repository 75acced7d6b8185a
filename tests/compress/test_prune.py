"""Who goes when a network is pruned, and who stays whatever happens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketsr.blocks import Network
from pocketsr.errors import SettingError
from pocketsr.networks import SIZES, build

pytest.importorskip("torch_pruning", reason="pruning needs torch-pruning: pip install 'pocketsr[prune]'")
from pocketsr.compress.coupling import coupled_groups
from pocketsr.compress.prune import IMPORTANCES, Pruning, prune, rounds


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build("abpn", {"scale": 2, "width": 16, "depth": 2})


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
