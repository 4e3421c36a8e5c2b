"""What is measured for every point besides its accuracy, and which gates it has to pass."""

from pydantic import Field

from jobs.spec.base import Record


class LatencySpec(Record):
    """Timed forward passes on the evaluation device. Other work there distorts them: give `evaluate` its own device."""

    batch_size: int = Field(default=1, ge=1, description="Images per forward pass.")
    warmup: int = Field(default=10, ge=0, description="Untimed passes first.")
    repeats: int = Field(default=50, ge=1, description="Timed passes.")


class MeasureSpec(Record):
    """Measurements of every point, and its gates: where a network fails a gate, its point fails."""

    latency: LatencySpec | None = Field(default=None, description="Time forward passes; default: no timing.")
    reload: bool = Field(
        default=True, description="Gate: reloaded from its files in a fresh process, its output is bit-identical."
    )
    export: bool = Field(default=False, description="Gate: `torch.export` succeeds, and the graph's output agrees.")
