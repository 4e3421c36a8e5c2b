"""Sums up equal failures: one line and one log for all of them. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobs.outcome import Cause
from jobs.stages.table import StageKind
from orchestrator.status.record import TaskFailure

_NAMED = 4
"""So many models and methods are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualFailures:
    """Tasks of one stage that failed for the same cause with the same message.

    Attributes:
        stage: Their stage.
        cause: Their cause.
        message: Their message, one line.
        keys: The tasks.
        labels: Their labels.
        log: The log of the first one that has a log; empty where none has.
    """

    stage: StageKind
    cause: Cause
    message: str
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    log: str

    @property
    def what(self) -> str:
        """Stage and label of the only task; of several their number, and which models and methods they are of."""
        if len(self.labels) == 1:
            return f"{self.stage} {self.labels[0]}"
        counts = Counter(label.partition("@")[0] for label in self.labels)
        named = [f"{name} ({count})" if count > 1 and len(counts) > 1 else name for name, count in counts.items()]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return f"{len(self.labels)} x {self.stage} {', '.join(named[:_NAMED])}{more}"

    @property
    def line(self) -> str:
        """All of it but the log."""
        return f"failed ({self.cause}): {self.what}: {self.message}"


def equal_failures(failures: Iterable[TaskFailure]) -> tuple[EqualFailures, ...]:
    """The failures, equal ones together, in the order in which they happened first."""
    groups: dict[tuple[StageKind, Cause, str], list[TaskFailure]] = {}
    for each in failures:
        groups.setdefault((each.stage, each.cause, each.message), []).append(each)
    return tuple(
        EqualFailures(
            stage=stage,
            cause=cause,
            message=message,
            keys=tuple(each.key for each in group),
            labels=tuple(each.label for each in group),
            log=next((each.log for each in group if each.log), ""),
        )
        for (stage, cause, message), group in groups.items()
    )
