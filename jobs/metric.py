"""What the numbers of a point are called: an objective's own metrics, and the keys that all points share.

A metric describes itself, so that tables, figures and MLflow read from the store what a number is and when it is a
better one. Knows nothing of how a number is computed.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from jobs.compatibility import known_fields
from jobs.errors import BadInputError
from jobs.identity import Parsed

COMMON_KEYS = (
    "loss",
    "compression",
    "compression_ratio",
    "speedup",
    "params",
    "macs",
    "size_bytes",
    "peak_memory_bytes",
    "training_epochs",
    "training_macs",
    "duration_s",
)
"""The metric keys of every point, whatever the objective.

The loss; the fraction of parameters removed, and parameters before to parameters after; multiply-accumulates before to
those after (the theoretical speedup); what is left of both; bytes of the weights, and of all tensors when most are
alive, for one image; what was trained since the model's own weights; how long the evaluation took."""

PREDICTED = "speedup_predicted"
"""Where widths were chosen by a profile: latency before to latency after, as the profile predicts."""

STOPPED = "stopped_after"
"""Where a training was out of its race: the fraction of its steps that it really had."""

APART = "precision_difference"
"""Where networks are evaluated otherwise than as they are, in float32: the largest difference of the first batch's
outputs from those, over the largest of these."""

OCCASIONAL_KEYS = (PREDICTED, STOPPED, APART, "latency_p50_s", "latency_p90_s", "latency_mean_s", "energy_j")
"""Those that some points have; the times are those of version 0.1, where a point had one runtime and batch size."""

VARIANT_KEYS = (
    "latency_p50_s",
    "latency_p90_s",
    "speedup_measured",
    "speedup_spread",
    "peak_memory_measured_bytes",
    "energy_j",
)
"""Those of a network in one runtime, with a batch size: `latency_p50_s/onnxruntime/b1`.

Median and 90th percentile of a pass; the dense network's time over that, timed in turn with it, and the range between
the quartiles of that; bytes that the process took during a pass, with the weights; joules of a pass."""

QUANTIZED = ("int8",)
"""Variants of metrics that are those of quantised networks: `accuracy/int8`; no attack or test set has such a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How well a network does, as one number.

    Attributes:
        name: Its key, as in MLflow: letters, digits and underscores.
        label: What it is called within a sentence: `accuracy`, `PSNR`.
        direction: Whether a `higher` or a `lower` value is the better one.
        unit: As people read it; empty where it has none.
        scale: Stored values times this are in that unit.
        digits: Decimal places that people read.
        lowest: The smallest value that there can be, as stored; None where there is no bound.
        highest: The largest one.

    Raises:
        BadInputError: The name is no key, or one that all points have.
    """

    name: str
    label: str
    direction: Literal["higher", "lower"]
    unit: str = ""
    scale: float = 1.0
    digits: int = 3
    lowest: float | None = None
    highest: float | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name) or self.name in (
            *COMMON_KEYS,
            *OCCASIONAL_KEYS,
            *VARIANT_KEYS,
        ):
            raise BadInputError(
                f"a metric is named '{self.name}'; give it letters, digits and underscores, and no name that all "
                f"points have ({', '.join(COMMON_KEYS)})"
            )

    @classmethod
    def from_json(cls, value: Parsed) -> "Metric":
        """The metric whose fields a point has; what a later version adds is left out."""
        return cls(**known_fields(cls, value))

    @property
    def best_name(self) -> str:
        """The key of its value with the weights that were best on the validation split."""
        return f"{self.name}_best"

    @property
    def ema_name(self) -> str:
        """The key of its value with the moving average of the weights, for networks that were trained with one."""
        return f"{self.name}_ema"

    @property
    def quantity(self) -> str:
        """Label and unit, within a sentence."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def title(self) -> str:
        """The label at the beginning of a line; one with capitals of its own keeps them."""
        return self.label[0].upper() + self.label[1:] if self.label.islower() else self.label

    @property
    def heading(self) -> str:
        """Label and unit at the beginning of a line."""
        return self.title + self.quantity.removeprefix(self.label)

    def shown(self, value: float) -> float:
        """A stored value in the unit that people read."""
        return value * self.scale

    def text(self, value: float) -> str:
        """A stored value as people read it, without the unit."""
        return f"{self.shown(value):.{self.digits}f}"

    def summary(self, mean: float, deviation: float, *, num_measured: int, num_planned: int) -> str:
        """A mean over seeds as people read it, without the unit.

        Args:
            mean: As stored.
            deviation: Over the seeds, as stored; shown where there are several.
            num_measured: How many seeds the mean is of.
            num_planned: How many it is to be of; both are shown where some are missing.
        """
        text = f"{self.text(mean)} ± {self.text(deviation)}" if num_measured > 1 else self.text(mean)
        return f"{text} ({num_measured}/{num_planned})" if num_measured < num_planned else text

    def change(self, difference: float) -> str:
        """A difference of two stored values as people read it, with its sign and without the unit."""
        text = f"{self.shown(difference):+.{self.digits}f}"
        return text if float(text) else text.replace("-", "+")

    def cost(self, value: float) -> float:
        """A value as something of which less is better; NaN, which compares with nothing, costs infinitely much."""
        if math.isnan(value):
            return math.inf
        return -value if self.direction == "higher" else value

    def clipped(self, value: float) -> float:
        """A value, moved into the bounds."""
        low = -math.inf if self.lowest is None else self.lowest
        high = math.inf if self.highest is None else self.highest
        return min(max(value, low), high)
