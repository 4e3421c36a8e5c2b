"""Adversarial attacks: how well a network stands small changes of its images that are made to deceive it."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from jobs import checks
from jobs.metric import QUANTIZED
from jobs.spec.base import Record

CLEAN = "clean"
"""The name of the same images without an attack."""

_LEAST = 0.5
"""Where smaller, epsilon is a fraction of the range that was not multiplied: 8/255 is 0.03."""


def _in_255ths(epsilon: float) -> float:
    if 0 < epsilon < _LEAST:
        raise checks.fault(
            f"{epsilon:g} of 255 is hardly a change; if it is a fraction of the range, write {255 * epsilon:g}"
        )
    return epsilon


class AttackBase(Record):
    """What all attacks have in common: the largest change of a pixel (the norm L-infinity)."""

    epsilon: Annotated[float, AfterValidator(_in_255ths)] = Field(
        gt=0, le=255, description="Largest change of a pixel, in 255ths of its range: 2 or 8."
    )


class FgsmAttack(AttackBase):
    """One step along the sign of the loss's gradient (Goodfellow et al. 2015, arXiv:1412.6572, section 4)."""

    kind: Literal["fgsm"]


class PgdAttack(AttackBase):
    """Projected gradient ascent from a random start (Madry et al. 2018, arXiv:1706.06083, section 2.1)."""

    kind: Literal["pgd"]
    steps: int = Field(default=20, ge=1, description="Steps along the sign of the gradient.")
    step_size: float | None = Field(
        default=None, gt=0, description="Of a step, in 255ths; default: 2.5 epsilon over the number of steps."
    )


class AutoAttack(AttackBase):
    """The standard ensemble of four attacks without parameters (Croce and Hein 2020, arXiv:2003.01690).

    By the authors' package; needs `orchard[attacks]` and four classes at least.
    """

    kind: Literal["autoattack"]


ATTACK_KINDS = ("fgsm", "pgd", "autoattack")
Attack: TypeAlias = Annotated[FgsmAttack | PgdAttack | AutoAttack, Field(discriminator="kind")]


def _free(attacks: dict[str, Attack]) -> dict[str, Attack]:
    if not attacks:
        raise checks.fault("names no attack; give one, such as fgsm: {kind: fgsm, epsilon: 8}")
    if CLEAN in attacks:
        raise checks.fault(f"{CLEAN} is the name of the images without an attack; give the attack another one")
    if quantized := next((name for name in attacks if name in QUANTIZED), None):
        raise checks.fault(f"{quantized} is the name of the quantised network; give the attack another one")
    return attacks


class AttackSpec(Record):
    """Attacks on every network, of classification; each is a further variant of the metrics: `accuracy/fgsm`.

    The metrics of the same images without an attack are `accuracy/clean`.
    """

    images: int = Field(default=1000, ge=1, description="The first so many of the split that is evaluated.")
    by: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")], Attack], AfterValidator(_free)
    ] = Field(description="Name -> attack.")

    @property
    def needs_library(self) -> bool:
        """Whether an attack is another package's, whose version is then part of the keys."""
        return any(isinstance(each, AutoAttack) for each in self.by.values())
