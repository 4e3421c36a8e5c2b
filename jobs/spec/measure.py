"""What is measured of every point besides its accuracy, and which gates it has to pass."""

from pydantic import Field

from jobs.spec.base import Record


class LatencySpec(Record):
    """Timed forward passes, on the device that evaluates. Other work there goes into them: give `evaluate` its own."""

    batch_size: int = Field(default=1, ge=1, description="Images per pass.")
    warmup: int = Field(default=10, ge=0, description="Passes before the first that counts.")
    repeats: int = Field(default=50, ge=1, description="Passes that count.")


class MeasureSpec(Record):
    """What every point is measured by, and the gates before it counts: a network that fails one fails its point."""

    latency: LatencySpec | None = Field(default=None, description="Time forward passes; default: nothing is timed.")
    reload: bool = Field(
        default=True, description="Gate: made from its files in a fresh process, it computes the same, bit for bit."
    )
    export: bool = Field(default=False, description="Gate: `torch.export` takes it, and the graph agrees.")
