"""From the journals of a store to the story of one task, and to the retries of one sweep.

Pure: entries in, records out. The journals are read once, entry by entry; what is kept of them is what was asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from jobs.identity import Json, Parsed
from jobs.resources import Resources
from orchestrator.scheduling.decision import Decision, resources_json, resources_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """An attempt that has ended, as a journal tells of it.

    Attributes:
        sweep: Whose journal it is in.
        run: Which run of that sweep made it, from 1.
        ended_s: When it ended, seconds since the epoch.
        key: Its task.
        stage: Of that task.
        label: Of that task.
        number: Which attempt of that run, from 1.
        host: Where it ran, as far as known.
        node: The cluster's name for that machine.
        duration_s: How long it ran.
        resources: What it asked of the cluster; None where the journal is too old to say.
        used_memory_bytes: Its peak of memory; 0 where unknown.
        log: Address of its log; empty where none was written.
        cause: Why it failed; empty where it succeeded.
        message: Of the failure, one line.
        reused: It found its result there and had nothing to do.
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
        """The fields as JSON; the decision as the journal has it."""
        resources = self.resources and resources_json(self.resources)
        decision = self.decision and self.decision.to_json()
        return asdict(self) | {"resources": resources, "decision": decision}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that the journals say of one task.

    Attributes:
        key: The task.
        attempts: Its own, oldest first.
        damage: Attempts of tasks that read its artifact and found it damaged, so that it was made again, oldest first.
    """

    key: str
    attempts: tuple[PastAttempt, ...]
    damage: tuple[PastAttempt, ...]

    def cut_short(self, attempt: PastAttempt) -> bool:
        """Whether an attempt was to be followed by another, and its run ended before that: a later run made it."""
        later = [each for each in self.attempts if each.sweep == attempt.sweep and each.ended_s > attempt.ended_s]
        again = attempt.decision is not None and attempt.decision.retry is not None
        return again and bool(later) and later[0].run > attempt.run


def past_attempts(sweep: str, entries: Iterable[Parsed]) -> Iterator[PastAttempt]:
    """The attempts in a sweep's journal, in its order.

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


def keys_told_of(attempt: PastAttempt) -> tuple[str, ...]:
    """The tasks of whose story an attempt is part: its own, and the one that made an input which it found damaged."""
    damaged = attempt.decision.damaged if attempt.decision else ""
    return (attempt.key, damaged) if damaged else (attempt.key,)


def story_of(key: str, attempts: Iterable[PastAttempt]) -> Story:
    """The story of one task.

    Args:
        key: The whole key.
        attempts: Of any tasks, in any order; from all journals that may speak of it.
    """
    ordered = sorted(attempts, key=lambda each: each.ended_s)
    return Story(
        key=key,
        attempts=tuple(each for each in ordered if each.key == key),
        damage=tuple(each for each in ordered if each.decision and each.decision.damaged == key),
    )


def retries_of(attempts: Iterable[PastAttempt]) -> list[PastAttempt]:
    """The attempts that failed and were not their task's last word, oldest first."""
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
        resources=resources_of(entry["resources"]) if "resources" in entry else None,
        used_memory_bytes=entry.get("memory_bytes", 0),
        log=entry.get("log", ""),
        cause=entry["cause"] if failed else "",
        message=entry["message"] if failed else "",
        reused=not failed and entry["reused"],
        decision=Decision.from_json(entry) if failed else None,
    )
