"""What methods have in common: models and protocols, limits on what is cut, and rounds of pruning and training."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.rounds import Schedule
from jobs.spec.base import Name, Record
from jobs.spec.protocols import NO_PROTOCOL
from jobs.spec.prune import PruneSpec
from jobs.spec.training import FineTuneSpec

Names = Annotated[tuple[Name, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)]


class MethodBase(Record):
    """The base of every method."""

    models: Names | None = Field(default=None, description="Models of the sweep to apply it to; default: all.")
    protocols: Names = Field(
        default=(NO_PROTOCOL,),
        description="Names of the sweep's protocols, one curve each; `none`: no further training or correction.",
    )

    def applies_to(self, model: str) -> bool:
        """Whether the sweep runs the method on a model."""
        return self.models is None or model in self.models


class ChannelMethod(MethodBase):
    """The base of methods that remove whole channels."""

    prune: PruneSpec | None = Field(
        default=None, description="What may be cut, where it is not as the sweep's and the model's `prune` say."
    )


class RoundsMethod(ChannelMethod):
    """The base of methods that can remove channels in several rounds, with training between them."""

    rounds: int = Field(
        default=1,
        ge=1,
        description="Iterative pruning: each round removes a part, from scores and statistics that are new; between "
        "rounds the network is trained as `train` says. What comes after the last one is up to a protocol.",
    )
    schedule: Schedule = Field(
        default="geometric",
        description="`geometric`: every round removes the same fraction of what is left; `linear`: of the whole.",
    )
    train: FineTuneSpec | None = Field(default=None, description="Training between rounds; needed where there are any.")

    @model_validator(mode="after")
    def _rounds_train(self) -> Self:
        if self.rounds > 1 and self.train is None:
            raise checks.fault(
                f"{self.rounds} rounds need training between them; give a `train` block, such as train: {{epochs: 1}}"
            )
        if self.rounds == 1 and (self.train is not None or self.schedule != "geometric"):
            raise checks.fault(
                "`train` and `schedule` are for several rounds; set `rounds`, or fine-tune by a protocol"
            )
        return self
