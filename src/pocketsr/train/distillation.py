"""Distillation: a teacher beside the truth, in any stage.

    low ─► student ─► output ─┬─ losses to the truth
      │      └─ features ─┐   ├─ losses to the teacher's output      (live, or made once for every image: cached)
      └─► teacher ─ features ─┴─ losses to the teacher's features    (live only)

Knows the student as a module with names; an integer network has none inside, so only outputs can be taught there.
``guides`` makes what is made once for every image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pocketsr.blocks import Network
from pocketsr.choice import make
from pocketsr.errors import CheckpointError, SettingError, UnknownNameError
from pocketsr.networks import build
from pocketsr.networks.saved import load_network
from pocketsr.train.checkpoint import read_checkpoint
from pocketsr.train.distributed import Processes
from pocketsr.train.images import device_of
from pocketsr.train.losses.distillation import FEATURE_LOSSES, OUTPUT_LOSSES, OutputLoss
from pocketsr.train.optimiser import make_optimiser, set_rate
from pocketsr.train.recipe import Distillation, Stage

#: Augmentations that only move pixels and colours: what the teacher made of an image moves along.
_MOVES = ("flip", "transpose", "shuffle-colours")


class Guidance:
    """The teacher's part in a stage: its outputs, its features, and what they cost the student.

    Args:
        stage: One with ``distillation``.
        student: The network that learns.
        processes: The group that trains.

    Raises:
        SettingError: A term, a tap or an option does not fit, or the teacher does not fit the student.
        UnknownNameError: A tap names a layer that is not there.
        CheckpointError: The teacher cannot be read.
    """

    def __init__(self, stage: Stage, student: nn.Module, processes: Processes) -> None:
        assert stage.distillation is not None
        self._choice: Distillation = stage.distillation
        check_distillation(stage)
        self.teacher = load_teacher(self._choice.teacher).to(processes.device)
        _check_fit(stage, self.teacher, student)
        self._identity = {"name": Path(self._choice.teacher).name, "sha256": digest_of(self._choice.teacher)}
        self._autocast = stage.precision == "bf16"
        outputs = [term for term in self._choice.terms if term.name in OUTPUT_LOSSES]
        features = [term for term in self._choice.terms if term.name in FEATURE_LOSSES]
        self._outputs: list[tuple[str, float, OutputLoss]] = [
            (term.name, term.weight, make("distillation loss", OUTPUT_LOSSES, term)) for term in outputs
        ]
        #: What each tapped layer gave when it last ran, by name.
        self._kept: dict[str, dict[str, Tensor]] = {"student": {}, "teacher": {}}
        #: Copies of the student have its taps; what they give when they are validated is not wanted.
        self._is_listening = False
        self._features = nn.ModuleDict()
        self._weights = {term.name: term.weight for term in features}
        if features:
            _check_sharing(stage, processes.world)
            first, second = zip(*self._choice.taps, strict=True)
            self._taps = {"student": first, "teacher": second}
            widths = self._tap(student, "student"), self._tap(self.teacher, "teacher")
            for term in features:
                self._features[term.name] = make("distillation loss", FEATURE_LOSSES, term, *widths)
        self._features.to(processes.device)
        trained = any(parameter.requires_grad for parameter in self._features.parameters())
        self._optimiser = make_optimiser(stage.optimiser, self._features, stage.learning_rate, {}) if trained else None

    def begin(self) -> None:
        """Forget the last step and listen to the next: call before the student runs."""
        self._is_listening = True
        for kept in self._kept.values():
            kept.clear()
        if self._optimiser is not None:
            self._optimiser.zero_grad(set_to_none=True)

    def terms(self, low: Tensor, output: Tensor, target: Tensor, guide: Tensor | None, scale: int) -> dict[str, Tensor]:
        """Return each loss by name, times its weight, after the student has made ``output`` of ``low``.

        Args:
            low: ``(N, 3, P, P)`` in 0..1.
            output: ``(N, 3, scale·P, scale·P)``.
            target: The truth, as output.
            guide: The teacher's output where it was made before; None runs the teacher.
            scale: Factor of this batch.
        """
        if guide is None:
            guide = self._taught(low, scale)
        found = {name: weight * loss(output, target, guide) for name, weight, loss in self._outputs}
        for name, loss in self._features.items():
            ours, theirs = self._features_of("student"), self._features_of("teacher")
            found[name] = self._weights[name] * loss(ours, theirs)
        for kept in self._kept.values():
            kept.clear()
        return found

    def take_step(self, rate: float) -> None:
        """Train what the losses themselves have to learn, and stop listening."""
        self._is_listening = False
        if self._optimiser is not None:
            set_rate(self._optimiser, rate)
            self._optimiser.step()

    def state(self) -> dict[str, Any]:
        """Return what the next step depends on."""
        optimiser = {} if self._optimiser is None else self._optimiser.state_dict()
        return {"teacher": dict(self._identity), "features": self._features.state_dict(), "optimiser": optimiser}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` returned.

        Raises:
            CheckpointError: Another teacher taught then.
        """
        then = state.get("teacher", self._identity)  # older states do not say
        if then["sha256"] != self._identity["sha256"]:
            raise CheckpointError(
                f"the run was taught by {then['name']} (sha256 {then['sha256'][:12]}); {self._identity['name']} "
                f"({self._identity['sha256'][:12]}) is another network: name the former with --teacher"
            )
        self._features.load_state_dict(state["features"])
        if self._optimiser is not None:
            self._optimiser.load_state_dict(state["optimiser"])

    def _features_of(self, whose: str) -> list[Tensor]:
        """Return what the taps gave, in float32 whatever the stage multiplies in."""
        return [self._kept[whose][tap].float() for tap in self._taps[whose]]

    @torch.no_grad()
    def _taught(self, low: Tensor, scale: int) -> Tensor:
        set_scale(self.teacher, scale)
        with torch.autocast(low.device.type, torch.bfloat16, enabled=self._autocast):
            output: Tensor = self.teacher(low)
        return output.float().clamp(0, 1)

    def _tap(self, network: nn.Module, whose: str) -> list[int]:
        """Keep what layers give from now on, and return how many channels each has."""
        modules, kept = dict(network.named_modules()), self._kept[whose]
        for name in self._taps[whose]:
            if not name or name not in modules:
                raise UnknownNameError.among(f"layer of the {whose}", name, [key for key in modules if key])
            modules[name].register_forward_hook(self._keeper(kept, name))
        was_training = network.training
        network.eval()
        self._is_listening = True
        with torch.no_grad():
            network(torch.zeros(1, getattr(network, "channels", 3), 16, 16, device=device_of(network)))
        self._is_listening = False
        network.train(was_training)
        unused = [name for name in self._taps[whose] if name not in kept]
        if unused:
            raise SettingError(f"taps name a layer of the {whose} that does not run: {', '.join(unused)}")
        for name in self._taps[whose]:
            if not isinstance(kept[name], Tensor) or kept[name].ndim != 4:
                raise SettingError(f"layer {name!r} of the {whose} gives no feature map; tap one that does")
        widths = [int(kept[name].shape[1]) for name in self._taps[whose]]
        kept.clear()
        return widths

    def _keeper(self, kept: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if self._is_listening:
                kept[name] = output

        return keep


def check_distillation(stage: Stage) -> None:
    """Refuse what does not go together.

    Raises:
        SettingError: With words on what would.
    """
    choice = stage.distillation
    assert choice is not None
    known = {**OUTPUT_LOSSES, **FEATURE_LOSSES}
    for term in choice.terms:
        if term.name not in known:
            raise UnknownNameError.among("distillation loss", term.name, known)
    names = [term.name for term in choice.terms]
    if not names or len(set(names)) != len(names):
        came = ", ".join(names) or "none"
        raise SettingError(f"stage {stage.name!r}: a teacher needs one term or more, each once, not {came}")
    has_features = any(term.name in FEATURE_LOSSES for term in choice.terms)
    if not choice.teacher:
        raise SettingError(f"stage {stage.name!r} is taught: name the teacher's file with --teacher, or in the recipe")
    if has_features and not choice.taps:
        raise SettingError(f"stage {stage.name!r}: feature losses need taps, pairs of layers of student and teacher")
    if has_features and stage.arithmetic == "integer":
        raise SettingError(f"stage {stage.name!r}: an integer network has no layers to tap; teach it by its output")
    if has_features and choice.outputs == "cached":
        raise SettingError(f'stage {stage.name!r}: features are not cached; use outputs = "live"')
    others = [change.name for change in stage.augmentations if change.name not in _MOVES]
    if choice.outputs == "cached" and others:
        raise SettingError(
            f"stage {stage.name!r}: after {', '.join(others)} the teacher would say something else than what is "
            'cached; use outputs = "live"'
        )


def _check_fit(stage: Stage, teacher: Network, student: nn.Module) -> None:
    """Refuse a teacher of other factors or colours than the student."""
    own = getattr(student, "scale", teacher.scale)
    for scale in stage.scales or (own,):
        set_scale(teacher, scale)
    ours, theirs = getattr(student, "channels", 3), teacher.channels
    if theirs == 1 and ours != 1:
        raise SettingError(f"stage {stage.name!r}: the teacher knows luma only, the student is of colour; take another")
    if theirs != ours and stage.distillation is not None and stage.distillation.outputs == "live":
        raise SettingError(
            f"stage {stage.name!r}: the teacher is of colour, the student of luma, so it cannot run on the same "
            'patches; use outputs = "cached"'
        )
    set_scale(teacher, own)


def _check_sharing(stage: Stage, world: int) -> None:
    """Refuse feature losses in parts or processes that they cannot be worked out in."""
    assert stage.distillation is not None
    terms = {term.name for term in stage.distillation.terms}
    if world > 1 and "afd" in terms:
        raise SettingError("afd has parameters of its own, which several processes do not exchange; use one")
    if world > 1 and not (stage.losses or stage.adversary or terms & set(OUTPUT_LOSSES)):
        raise SettingError(
            f"stage {stage.name!r}: several processes need a loss of the output, for every layer has to learn"
        )
    if "afd" in terms and stage.batch // (world * stage.accumulate) < 2:
        raise SettingError(
            f"stage {stage.name!r}: afd normalises over a batch and needs 2 patches or more in each part; a batch of "
            f"{stage.batch} in {stage.accumulate} parts has 1"
        )


def load_teacher(path: str) -> Network:
    """Read a float network that will not change: a checkpoint (``.pt``) or a saved network (``.safetensors``).

    Raises:
        CheckpointError: It cannot be read, or is of integer arithmetic.
    """
    file = Path(path)
    if file.suffix not in (".pt", ".safetensors"):
        raise CheckpointError(
            f"{file} is neither a .pt of pocketsr train nor a .safetensors; pocketsr import makes the latter of what "
            "others trained"
        )
    if file.suffix == ".safetensors":
        network, _ = load_network(file)
    else:
        state = read_checkpoint(file)
        if state.recipe.stages[state.stage].arithmetic != "float":
            raise CheckpointError(f"{file} is of integer arithmetic; a teacher is a float network")
        network = build(state.recipe.network.name, state.recipe.network.options)
        network.load_state_dict(dict(state.average))
    return network.folded().eval().requires_grad_(False)


def set_scale(teacher: Network, scale: int) -> None:
    """Let a teacher enlarge by a factor.

    Raises:
        SettingError: It does not.
    """
    if teacher.scale != scale:
        if scale not in teacher.scales:
            held = ", ".join(map(str, teacher.scales))
            raise SettingError(f"the teacher upscales by {held}, the student by {scale}")
        teacher.scale = scale


def digest_of(path: str) -> str:
    """Return the SHA-256 of a teacher's file, which tells it from others whatever it is called."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
