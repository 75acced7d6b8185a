"""Recipes: everything that decides a training run, as frozen values.

Nonsense within one stage is refused here; what a loss, an optimiser or a network makes of its options is known to those
rooms, and checked when a run begins, before any image is read. ``recipe_files`` reads them from TOML.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from pocketsr.choice import Choice
from pocketsr.errors import SettingError

Precision = Literal["fp32", "bf16"]
Arithmetic = Literal["float", "integer"]
Fit = Literal["crop", "resize", "refuse"]
Result = Literal["last", "best"]
Outputs = Literal["live", "cached"]
Calibration = Literal["minmax", "percentile", "mse"]
Rounding = Literal["nearest", "compensated"]
ActivationScales = Literal["learnt", "tracked"]
#: Seeds are below this: what PyTorch takes, with room for what stages add.
_SEEDS = 2**63


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataChoice:
    """What to train on.

    Attributes:
        name: The set of images that the recipe means; ``--data`` says where it is, or names another.
        description: The same in words.
        licence: Licence of weights trained on them (SPDX).
        degradation: How low-resolution images are made from high-resolution ones, in order.
        degrade_patches: Degrade each patch by itself rather than each image once: slower, and noise, JPEG quality and
            the like are drawn anew every time.
        shrink: Sizes (0 < s ≤ 1) at which each image serves as ground truth.
        fit: Images whose sides are no multiple of the scale are cropped, resized or refused.
    """

    name: str = ""
    description: str = ""
    licence: str = ""
    degradation: tuple[Choice, ...] = (Choice(name="bicubic"),)
    degrade_patches: bool = False
    shrink: tuple[float, ...] = (1.0,)
    fit: Fit = "crop"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossTerm(Choice):
    """One term of a weighted sum.

    Attributes:
        weight: What it is multiplied with.
    """

    weight: float = 1.0

    def __str__(self) -> str:
        """Return the term with its weight, for people."""
        return super().__str__() if self.weight == 1 else f"{self.weight:g} · {super().__str__()}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversary:
    """A discriminator that is trained against the network, step by step in turn.

    Attributes:
        discriminator: A name from the list of discriminators.
        loss: What both sides minimise: ``bce``, ``relativistic`` or ``least-squares``.
        weight: Weight of the network's side of it beside the stage's other losses.
        optimiser: The discriminator's own.
        learning_rate: The discriminator's own, on the stage's schedule; 0 is the network's.
    """

    discriminator: Choice
    loss: Choice = Choice(name="bce")
    weight: float = 1.0
    optimiser: Choice = Choice(name="Adam")
    learning_rate: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distillation:
    """A teacher that is followed beside the truth.

    Attributes:
        teacher: File of a float network: a checkpoint (``.pt``) or a saved or imported one (``.safetensors``). Empty
            waits for ``--teacher``.
        outputs: ``live`` runs the teacher on every patch; ``cached`` runs it once on every training image and keeps
            what it made, which costs a step almost nothing.
        terms: What is taken over: ``output``, ``residual`` and ``kl`` from its images, ``attention`` and ``afd`` from
            its features.
        taps: Pairs of layers, the student's and the teacher's, whose features are compared.
    """

    teacher: str = ""
    outputs: Outputs = "live"
    terms: tuple[LossTerm, ...] = (LossTerm(name="output"),)
    taps: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training with settings of its own. Stages run in order, each from the last one's result.

    Attributes:
        name: Word for the stage in files and progress.
        steps: Optimiser steps.
        batch: Patches a step, over all processes together.
        patch: Side of a patch in low-resolution pixels.
        arithmetic: ``float`` trains the network as written; ``integer`` folds it and trains the int8 file's arithmetic.
        calibration_images: Images that set the first activation ranges of an integer stage.
        rounding: How an integer stage first rounds its weights: each to its ``nearest`` step, or ``compensated``, each
            making up for the errors of those before.
        calibration: How: by the largest values (``minmax``), all but the rarest (``percentile``), or the least error
            (``mse``).
        activation_scales: Scales of activations in an integer stage are ``learnt`` as weights are, or ``tracked``: a
            running average of the largest value of each batch, as TensorFlow's.
        equivalent: Begin an integer stage by folding the network's skip into its convolutions (ETDS).
        split_sums: Begin an integer stage by splitting sums that only convolutions take: their parts stand side by
            side, each in steps that suit it, and the convolutions grow.
        own_steps: Begin an integer stage by giving sums, and what stands in concatenations, steps of their own: for
            cascades, whose first features are small beside later ones.
        wide: Layers of an integer stage that compute with activations of 16 bits: names of convolutions as
            ``pocketsr sensitivity`` lists them, ``ends`` for the first and the last, ``all`` for all.
        losses: Terms of the loss between output and ground truth, both 0..1.
        adversary: A discriminator to train against, if any; in a reading ``false`` takes it away.
        distillation: A teacher to follow, if any; in a reading ``false`` takes it away.
        optimiser: A name from ``torch.optim`` and its options.
        learning_rate: Step size at its highest.
        learning_rate_factors: For parameter names, as shell patterns, what their step size is multiplied with.
        schedule: How the step size goes on from there.
        warmup_steps: Steps of linear rise at the start.
        augmentations: Changes drawn for each patch.
        scales: For networks of several scales: one is drawn for each batch. Empty is the network's own.
        fixed_crops: Draw that many patches once and repeat them; 0 draws fresh ones for ever.
        weight_limit: Weights of plain convolutions are kept within ± this after every step; 0 leaves them alone.
        rep_weight_limit: The same for the convolutions inside a RepConv.
        sparsity: Weight of a penalty that empties whole channels for pruning (DepGraph, equation 11); 0 has none. For
            folded networks.
        precision: ``bf16`` multiplies in bfloat16 and keeps weights in float32; ``fp32`` does all in float32.
        ema_decay: Factor of the running average of weights that is validated and kept; 0 keeps the last weights.
        gradient_clip: Largest norm of all gradients together; 0 leaves them alone.
        accumulate: Parts that a batch is worked off in, one after the other, to save memory.
        compile: Backend of ``torch.compile`` to run the network with, such as ``inductor``; empty runs it as it is.
        result: What the stage hands on and writes as its result: its ``last`` weights, or those of the ``best``
            validation where there are images to validate on.
        validate_every: Steps between validations; the stage's end is always validated.
        checkpoint_every: Steps between saved states.
        picture_every: Steps between pictures of validation crops; 0 draws none.
    """

    name: str
    steps: int
    batch: int = 16
    patch: int = 64
    arithmetic: Arithmetic = "float"
    calibration_images: int = 100
    calibration: Calibration = "minmax"
    rounding: Rounding = "nearest"
    activation_scales: ActivationScales = "learnt"
    equivalent: bool = False
    split_sums: bool = False
    own_steps: bool = False
    wide: tuple[str, ...] = ()
    losses: tuple[LossTerm, ...] = (LossTerm(name="l1"),)
    adversary: Adversary | None = None
    distillation: Distillation | None = None
    optimiser: Choice = Choice(name="Adam")
    learning_rate: float = 1e-3
    learning_rate_factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    schedule: Choice = Choice(name="cosine")
    warmup_steps: int = 0
    augmentations: tuple[Choice, ...] = (Choice(name="flip"), Choice(name="transpose"))
    scales: tuple[int, ...] = ()
    fixed_crops: int = 0
    weight_limit: float = 0.0
    rep_weight_limit: float = 0.0
    sparsity: float = 0.0
    precision: Precision = "bf16"
    ema_decay: float = 0.999
    gradient_clip: float = 0.0
    accumulate: int = 1
    compile: str = ""
    result: Result = "last"
    validate_every: int = 5000
    checkpoint_every: int = 1000
    picture_every: int = 0

    def __post_init__(self) -> None:
        positive = ("steps", "batch", "patch", "calibration_images", "validate_every", "checkpoint_every", "accumulate")
        for name in positive:
            _require(getattr(self, name) >= 1, self.name, name, "1 or more", getattr(self, name))
        for name in ("gradient_clip", "weight_limit", "rep_weight_limit", "sparsity", "fixed_crops", "picture_every"):
            _require(getattr(self, name) >= 0, self.name, name, "0 or more", getattr(self, name))
        _require(self.learning_rate > 0, self.name, "learning_rate", "above 0", self.learning_rate)
        _require(0 <= self.ema_decay < 1, self.name, "ema_decay", "at least 0 and below 1", self.ema_decay)
        _require(0 <= self.warmup_steps <= self.steps, self.name, "warmup_steps", "0 to steps", self.warmup_steps)
        divides = self.batch % self.accumulate == 0
        _require(divides, self.name, "accumulate", f"a divisor of the batch of {self.batch}", self.accumulate)
        has_goal = bool(self.losses) or self.adversary is not None or self.distillation is not None
        _require(has_goal, self.name, "losses", "one term or more, or an adversary or teacher", list(self.losses))
        if self.arithmetic == "integer":
            needed = "'fp32' where arithmetic is integer (bf16 cannot hold the sums)"
            _require(self.precision == "fp32", self.name, "precision", needed, self.precision)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole training run.

    Attributes:
        name: Name of the recipe.
        description: One sentence for people.
        network: What is trained.
        any_network: Whether the recipe is meant for other networks too.
        starts_from: Name of the recipe whose checkpoint this one begins with; empty begins with fresh weights.
        data: What it is trained on.
        stages: What happens, in order; at least one.
        seed: Decides first weights and patches.
    """

    name: str
    description: str = ""
    network: Choice
    any_network: bool = False
    starts_from: str = ""
    data: DataChoice = DataChoice()
    stages: tuple[Stage, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.stages:
            raise SettingError(f"recipe {self.name!r} has no stages; it needs at least one [[stages]]")
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise SettingError(f"recipe {self.name!r}: stages need different names, not {', '.join(names)}")
        if not isinstance(scale := self.network.options.get("scale", 3), int):
            raise SettingError(f"recipe {self.name!r}: the network's scale is a whole number, not {scale!r}")
        if not 0 <= self.seed < _SEEDS:
            raise SettingError(f"recipe {self.name!r}: the seed must be 0 or more and below 2^63, not {self.seed}")

    @property
    def scale(self) -> int:
        """Factor of the network, 3 where the recipe leaves it out."""
        return int(self.network.options.get("scale", 3))

    @property
    def scales(self) -> tuple[int, ...]:
        """Every factor that images are needed for: the network's own and those that stages draw from."""
        return tuple(sorted({self.scale, *(scale for stage in self.stages for scale in stage.scales)}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers; ``recipe_from`` reads them back."""
        return dataclasses.asdict(self)

    def shortened(self, steps: int) -> Recipe:
        """Return the same recipe with every stage at most ``steps`` long: for trying things out."""
        stages = tuple(
            dataclasses.replace(stage, steps=min(stage.steps, steps), warmup_steps=min(stage.warmup_steps, steps))
            for stage in self.stages
        )
        return dataclasses.replace(self, stages=stages)

    def taught_by(self, teacher: str) -> Recipe:
        """Return the recipe with that file as the teacher of every stage that has one.

        Raises:
            SettingError: No stage has one.
        """
        if not any(stage.distillation for stage in self.stages):
            raise SettingError(f"no stage of recipe {self.name!r} has a teacher; add [stages.distillation] to one")
        stages = tuple(
            dataclasses.replace(stage, distillation=dataclasses.replace(stage.distillation, teacher=teacher))
            if stage.distillation
            else stage
            for stage in self.stages
        )
        return dataclasses.replace(self, stages=stages)

    def for_network(self, name: str, options: Mapping[str, Any]) -> Recipe:
        """Return the recipe for another network.

        Raises:
            SettingError: This recipe is meant for its own network only.
        """
        if name != self.network.name and not self.any_network:
            raise SettingError(
                f"recipe {self.name!r} trains {self.network.name}, not {name}; 'common' and 'pocket' train any network"
            )
        kept = self.network.options if name == self.network.name else {}
        return dataclasses.replace(self, network=Choice(name=name, options={**kept, **options}))


def _require(good: bool, stage: str, name: str, needed: str, came: object) -> None:
    if not good:
        raise SettingError(f"stage {stage!r}: {name} must be {needed}, not {came!r}")
