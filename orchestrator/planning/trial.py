"""One trial of a sweep: model, method, compression and seed."""

from dataclasses import dataclass

from jobs.percent import to_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A method on a model, at one compression, with one seed.

    Attributes:
        model: The model's name in the sweep.
        method: The method's.
        compression: The target compression, in [0, 1).
        seed: Of the curve.
    """

    model: str
    method: str
    compression: float
    seed: int

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.model}/{self.method}@{to_percent(self.compression)}%/seed{self.seed}"

    @property
    def race_label(self) -> str:
        """The label of tasks that all methods and seeds of a model share at one compression."""
        return f"{self.model}@{to_percent(self.compression)}%"

    @property
    def shared_label(self) -> str:
        """The label of tasks that all methods and compressions of a model share."""
        return f"{self.model}/seed{self.seed}"
