"""What was decided of a failed attempt, and why: for the scheduler to act on and for people to read later.

Pure; `scheduling.retry` has the rules. Here they meet the state of the run. The record has its JSON beside it, because
it is kept in the journal and read from there.
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
        retry: When this run makes the attempt again, and what it asks for then; None where it does not.
        damaged: Key of the input that is made again before; empty where none is.
        avoid: Nodes that the next attempt is kept from, and this one was not.
        reason: Why this run does not make the attempt again; empty where it does.
    """

    final: bool
    retry: Retry | None = None
    damaged: str = ""
    avoid: tuple[str, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Json]:
        """The fields of a journal entry; `from_json` is the way back."""
        retry: dict[str, Json] | None = None
        if self.retry is not None:
            retry = {
                "delay_s": round(self.retry.delay_s, 3),
                "resources": resources_json(self.retry.resources),
                "damaged": self.damaged,
                "avoid": list(self.avoid),
            }
        return {"final": self.final, "retry": retry, "reason": self.reason}

    @classmethod
    def from_json(cls, entry: Parsed) -> "Decision":
        """From a journal entry; one that was written before there were decisions says only whether it was final."""
        retry = entry.get("retry")
        if retry is None:
            return cls(final=entry["final"], reason=entry.get("reason", ""))
        return cls(
            final=False,
            retry=Retry(delay_s=retry["delay_s"], resources=resources_of(retry["resources"])),
            damaged=retry["damaged"],
            avoid=tuple(retry["avoid"]),
        )


def decide(
    failure: Failed,
    *,
    count: int,
    attempt: Attempt,
    node_memory_bytes: int = 0,
    avoided: frozenset[str] = frozenset(),
    stopped: str = "",
    damaged_is_ours: bool = True,
) -> Decision:
    """What follows from a failed attempt.

    Args:
        failure: What happened.
        count: How often the task has failed for this cause, this time included.
        attempt: What failed.
        node_memory_bytes: Memory of the largest node; 0 where unknown.
        avoided: The nodes that attempts are kept from by now.
        stopped: Why the run submits nothing more; empty where it goes on.
        damaged_is_ours: Where an input is damaged: whether a task of this sweep makes it.
    """
    retry = retry_after(failure, count=count, asked=attempt.resources, node_memory_bytes=node_memory_bytes)
    if stopped and (retry or failure.cause is Cause.CANCELLED):
        return Decision(final=False, reason=f"the run was stopped ({stopped})")
    if retry is None:
        return Decision(final=True, reason=_why_not_again(failure, count))
    if failure.cause is Cause.CORRUPT and not damaged_is_ours:
        return Decision(final=True, reason="no task of this sweep makes the damaged input")
    damaged = failure.damaged if failure.cause is Cause.CORRUPT else ""
    return Decision(final=False, retry=retry, damaged=damaged, avoid=tuple(sorted(avoided - attempt.avoid)))


def resources_json(resources: Resources) -> dict[str, Json]:
    """What an attempt asks of the cluster, as it is kept in the journal."""
    return {
        "num_cpus": resources.num_cpus,
        "num_gpus": resources.num_gpus,
        "memory_bytes": resources.memory_bytes,
    }


def resources_of(kept: Parsed) -> Resources:
    """What `resources_json` kept."""
    return Resources(num_cpus=kept["num_cpus"], num_gpus=kept["num_gpus"], memory_bytes=kept["memory_bytes"])


def _why_not_again(failure: Failed, count: int) -> str:
    allowed = RETRIES.get(failure.cause, 0)
    if not allowed:
        return f"a failure of this kind ({failure.cause}) is not tried again"
    if count > allowed:
        return f"it has failed {count} times for this cause"
    return "it had a whole GPU" if failure.on_gpu else "it had all memory of the largest node"
