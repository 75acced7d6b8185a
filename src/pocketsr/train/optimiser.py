"""Optimisers: SOAP, and whatever ``torch.optim`` has, by its own name and with its own options."""

from __future__ import annotations

import dataclasses
import fnmatch
import inspect
from collections.abc import Callable, Mapping

import torch
from torch import nn

from pocketsr.choice import Choice, make
from pocketsr.errors import SettingError
from pocketsr.train.soap import SOAP

#: These want more of a training loop than a step: a closure, or sparse gradients.
_UNFIT = ("Optimizer", "LBFGS", "SparseAdam")

OPTIMISERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {"SOAP": SOAP} | {
    name: kind
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer) and name not in _UNFIT
}


def make_optimiser(
    choice: Choice, network: nn.Module, learning_rate: float, factors: Mapping[str, float]
) -> torch.optim.Optimizer:
    """Make an optimiser for every parameter of a network that is trained.

    Args:
        choice: Name of a class in ``torch.optim`` and its keyword options.
        network: Whose parameters.
        learning_rate: Rate of the first step.
        factors: For parameter names (shell patterns such as ``"tail.*"``), what their rate is multiplied with.

    Raises:
        UnknownNameError: ``torch.optim`` has no such class, or one that does not fit.
        SettingError: It does not take one of the options, or a pattern fits no parameter.
    """
    groups = [
        {"params": members, "lr": learning_rate * factor, "factor": factor}
        for factor, members in _by_factor(network, factors).items()
    ]
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in choice.options.items()}
    kind = OPTIMISERS.get(choice.name)
    if kind is not None and "fused" in inspect.signature(kind).parameters and not options.keys() & {"foreach", "fused"}:
        options["fused"] = True  # one kernel for all parameters: small networks have many small tensors
    try:
        return make("optimiser", OPTIMISERS, dataclasses.replace(choice, options=options), groups)
    except (TypeError, ValueError) as error:
        raise SettingError(f"optimiser {choice.name!r}: {error}") from error


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next step, each group's by its factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def _by_factor(network: nn.Module, factors: Mapping[str, float]) -> dict[float, list[nn.Parameter]]:
    trained = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    for pattern in factors:
        if not fnmatch.filter(trained, pattern):
            raise SettingError(
                f"learning_rate_factors: no parameter is called {pattern!r}; there are {', '.join(trained)}"
            )
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        fitting = [factor for pattern, factor in factors.items() if fnmatch.fnmatch(name, pattern)]
        groups.setdefault(fitting[-1] if fitting else 1.0, []).append(parameter)
    return groups
