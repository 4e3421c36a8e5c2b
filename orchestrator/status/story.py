"""The attempts of one task (its story) and the retries of one sweep, from the journals of a store. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from jobs.identity import Json, Parsed
from jobs.resources import Resources
from orchestrator.scheduling.decision import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """An attempt that has ended, from a journal.

    Attributes:
        sweep: The sweep whose journal it is in.
        run: Number of the sweep's run, from 1.
        ended_s: When it ended, seconds since the epoch.
        key: Its task.
        stage: The task's stage.
        label: The task's label.
        number: Number of the attempt in that run, from 1.
        host: Where it ran, as far as known.
        node: The cluster's name for that machine.
        duration_s: How long it ran.
        resources: Its resource request; None in journals of version 0.1.
        used_memory_bytes: Its peak memory; 0 where unknown.
        log: Address of its log; empty where none was written.
        cause: Why it failed; empty where it succeeded.
        message: Of the failure, one line.
        reused: Cache hit: the result was in the store.
        decision: What followed from the failure; None where it succeeded.
    """

    sweep: str
    run: int
    ended_s: float
    key: str
    stage: str
    label: str
    number: int
    host: str
    node: str
    duration_s: float
    resources: Resources | None
    used_memory_bytes: int
    log: str
    cause: str = ""
    message: str = ""
    reused: bool = False
    decision: Decision | None = None

    def to_json(self) -> dict[str, Json]:
        """The fields as JSON; the decision in the form of the journal."""
        resources = self.resources and self.resources.to_json()
        decision = self.decision and self.decision.to_json()
        return asdict(self) | {"resources": resources, "decision": decision}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The attempts that concern one task.

    Attributes:
        key: The task.
        attempts: Its own attempts, oldest first.
        damage: Attempts of other tasks that found its artifact damaged, so that it was recomputed, oldest first.
    """

    key: str
    attempts: tuple[PastAttempt, ...]
    damage: tuple[PastAttempt, ...]

    def cut_short(self, attempt: PastAttempt) -> bool:
        """Whether the retry after an attempt was not made, because the run ended first; a later run made it."""
        later = [each for each in self.attempts if each.sweep == attempt.sweep and each.ended_s > attempt.ended_s]
        again = attempt.decision is not None and attempt.decision.retry is not None
        return again and bool(later) and later[0].run > attempt.run


def past_attempts(sweep: str, entries: Iterable[Parsed]) -> Iterator[PastAttempt]:
    """The attempts in a sweep's journal, in order.

    Args:
        sweep: Its name.
        entries: The journal, oldest driver first.
    """
    run = 0
    for entry in entries:
        if entry["kind"] == "start":
            run += 1
        elif entry["kind"] in ("succeeded", "failed"):
            yield _attempt(sweep, run, entry)


def related_keys(attempt: PastAttempt) -> tuple[str, ...]:
    """The tasks that an attempt concerns: its own, and the one whose artifact it found damaged."""
    damaged = attempt.decision.damaged if attempt.decision else ""
    return (attempt.key, damaged) if damaged else (attempt.key,)


def story_of(key: str, attempts: Iterable[PastAttempt]) -> Story:
    """The story of one task.

    Args:
        key: The full key.
        attempts: Attempts of any tasks, in any order, from all journals.
    """
    ordered = sorted(attempts, key=lambda each: each.ended_s)
    return Story(
        key=key,
        attempts=tuple(each for each in ordered if each.key == key),
        damage=tuple(each for each in ordered if each.decision and each.decision.damaged == key),
    )


def retries_of(attempts: Iterable[PastAttempt]) -> list[PastAttempt]:
    """The failed attempts that were retried or left to the next run, oldest first."""
    again = (each for each in attempts if each.decision and not each.decision.final)
    return sorted(again, key=lambda each: each.ended_s)


def _attempt(sweep: str, run: int, entry: Parsed) -> PastAttempt:
    failed = entry["kind"] == "failed"
    return PastAttempt(
        sweep=sweep,
        run=run,
        ended_s=entry["at_s"],
        key=entry["key"],
        stage=entry["stage"],
        label=entry["label"],
        number=entry["attempt"],
        host=entry["host"],
        node=entry.get("node", ""),
        duration_s=entry["duration_s"],
        resources=Resources.from_json(entry["resources"]) if "resources" in entry else None,
        used_memory_bytes=entry.get("memory_bytes", 0),
        log=entry.get("log", ""),
        cause=entry["cause"] if failed else "",
        message=entry["message"] if failed else "",
        reused=not failed and entry["reused"],
        decision=Decision.from_json(entry) if failed else None,
    )
