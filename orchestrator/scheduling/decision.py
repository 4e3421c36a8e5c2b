"""Decides what follows from a failed attempt, by the rules of `scheduling.retry` and the state of the run.

Pure. Decisions are kept in the journal as JSON.
"""

from dataclasses import dataclass

from jobs.identity import Json, Parsed
from jobs.outcome import Cause, Failed
from jobs.resources import Resources
from jobs.task import Attempt
from orchestrator.scheduling.retry import RETRIES, Retry, retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from a failed attempt.

    Attributes:
        final: The task has failed. Neither final nor with a retry: it is left to the next run.
        retry: Delay and request of the retry in this run; None where there is none.
        damaged: Key of the damaged input that is recomputed first; empty where there is none.
        avoid: Nodes that the next attempt avoids in addition to those of this one.
        reason: Why this run does not retry; empty where it does.
    """

    final: bool
    retry: Retry | None = None
    damaged: str = ""
    avoid: tuple[str, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Json]:
        """The fields of a journal entry; the inverse of `from_json`."""
        retry: dict[str, Json] | None = None
        if self.retry is not None:
            retry = {
                "delay_s": round(self.retry.delay_s, 3),
                "resources": self.retry.resources.to_json(),
                "damaged": self.damaged,
                "avoid": list(self.avoid),
            }
        return {"final": self.final, "retry": retry, "reason": self.reason}

    @classmethod
    def from_json(cls, entry: Parsed) -> "Decision":
        """The decision of a journal entry; entries of version 0.1 only say whether it was final."""
        retry = entry.get("retry")
        if retry is None:
            return cls(final=entry["final"], reason=entry.get("reason", ""))
        return cls(
            final=False,
            retry=Retry(delay_s=retry["delay_s"], resources=Resources.from_json(retry["resources"])),
            damaged=retry["damaged"],
            avoid=tuple(retry["avoid"]),
        )


def decide(
    failure: Failed,
    *,
    count: int,
    attempt: Attempt,
    memory_limit_bytes: int = 0,
    avoided: frozenset[str] = frozenset(),
    stopped: str = "",
    damaged_is_ours: bool = True,
) -> Decision:
    """Decide what follows from a failed attempt.

    Args:
        failure: The failure.
        count: How often the task has failed for this cause, including this failure.
        attempt: The failed attempt.
        memory_limit_bytes: The most memory that such an attempt can ask for; 0 where unknown.
        avoided: The nodes that attempts of this task avoid by now.
        stopped: Why the run submits nothing more; empty where it was not stopped.
        damaged_is_ours: For a damaged input: whether a task of this sweep computes it.
    """
    retry = retry_after(failure, count=count, asked=attempt.resources, memory_limit_bytes=memory_limit_bytes)
    if failure.cause is Cause.CANCELLED or (stopped and retry):
        return Decision(final=False, reason=f"the run was stopped ({stopped or 'the task knew it first'})")
    if retry is None:
        return Decision(final=True, reason=_why_final(failure, count))
    if failure.cause is Cause.CORRUPT and not damaged_is_ours:
        return Decision(final=True, reason="no task of this sweep computes the damaged input")
    damaged = failure.damaged if failure.cause is Cause.CORRUPT else ""
    return Decision(final=False, retry=retry, damaged=damaged, avoid=tuple(sorted(avoided - attempt.avoid)))


def _why_final(failure: Failed, count: int) -> str:
    allowed = RETRIES.get(failure.cause, 0)
    if not allowed:
        return f"failures of this kind ({failure.cause}) are not retried"
    if failure.cause is Cause.UNFIT_MACHINE and not failure.node:
        return "there is no other machine"
    if count > allowed:
        return f"it has failed {count} times for this cause"
    return "it had a whole GPU" if failure.on_gpu else "it had all memory of the largest node"
