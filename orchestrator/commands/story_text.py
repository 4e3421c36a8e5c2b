"""Formats the attempts of tasks, and the decisions after failures, for the terminal. Pure: no disk, no store."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobs.resources import Resources
from orchestrator.commands.status_text import when
from orchestrator.scheduling.decision import Decision
from orchestrator.scheduling.retry import Retry
from orchestrator.status import PastAttempt, Story

_TABLE_COLUMNS = ("time", "stage", "task", "key", "run", "attempt", "cause", "host", "ran for", "delay", "changed")


def story_lines(story: Story) -> Iterator[str]:
    """The attempts of a task, oldest first, each with the decision after it; no lines where there was none."""
    if not story.attempts and not story.damage:
        return
    runs = len({(each.sweep, each.run) for each in story.attempts})
    what = f" of {story.attempts[0].stage} {story.attempts[0].label}" if story.attempts else ""
    yield f"story{what}: {_count(len(story.attempts), 'attempt')} in {_count(runs, 'run')}"
    for attempt in sorted((*story.attempts, *story.damage), key=lambda each: each.ended_s):
        if attempt.key == story.key:
            yield from _attempt_lines(attempt, story.cut_short(attempt))
        else:
            reader = f"{attempt.stage} {attempt.label} ({attempt.key[:12]})"
            yield f"found damaged by {_attempt(attempt)} of {reader}, {when(attempt.ended_s)}: recomputed"
    last = story.attempts[-1].decision if story.attempts else None
    if last and not last.final:
        yield "no later attempt has ended"


def attempt_heading(attempt: PastAttempt) -> str:
    """The heading of an attempt's log."""
    return f"{_attempt(attempt)}: {attempt.log}"


def retries_page(sweep: str, retries: Sequence[PastAttempt]) -> RenderableType:
    """The retries of a sweep, one line each."""
    if not retries:
        return Text(f"{sweep}: no attempt was retried")
    table = Table(box=None, pad_edge=False)
    for heading in _TABLE_COLUMNS:
        table.add_column(heading, no_wrap=True)
    for attempt in retries:
        if attempt.decision:
            table.add_row(*(Text(cell) for cell in _row(attempt, attempt.decision)))
    head = f"{sweep}: {_count(len(retries), 'attempt')} failed and were retried or left to the next run"
    return Group(Text(head), table, Text("`orchard explain KEY` shows all attempts of one task"))


def _attempt_lines(attempt: PastAttempt, cut_short: bool) -> Iterator[str]:
    place = f" on {attempt.host}" if attempt.host else ""
    place += f" (node {attempt.node})" if attempt.node else ""
    how = f"failed ({attempt.cause})" if attempt.cause else "succeeded"
    how = "cache hit" if attempt.reused else how
    message = f": {attempt.message}" if attempt.message else ""
    yield f"{_attempt(attempt)}: {how}{place} after {attempt.duration_s:.1f} s, {when(attempt.ended_s)}{message}"
    if attempt.resources:
        used = f", used {_memory(attempt.used_memory_bytes)} of memory" if attempt.used_memory_bytes else ""
        yield f"  asked for {_request(attempt.resources)}{used}"
    if attempt.log or attempt.cause:
        yield f"  log: {attempt.log or 'none was written'}"
    if attempt.decision:
        ended = "; that run ended before it" if cut_short else ""
        yield f"  then: {_decision_text(attempt.decision, attempt.resources)}{ended}"


def _attempt(attempt: PastAttempt) -> str:
    return f"attempt {attempt.number} in run {attempt.run} of {attempt.sweep}"


def _decision_text(decision: Decision, asked: Resources | None) -> str:
    """The decision after the failure of an attempt with this request."""
    retry = decision.retry
    if retry is None:
        if not decision.reason:
            what = "no other attempt" if decision.final else "another attempt, or left to the next run"
            return f"{what}; this journal is too old to say more"
        return f"{'no other attempt' if decision.final else 'left to the next run'}: {decision.reason}"
    delay = f" after a delay of {retry.delay_s:.1f} s" if retry.delay_s else "" if decision.damaged else " at once"
    return ", ".join([f"another attempt{delay}", *_changes(decision, retry, asked)])


def _changes(decision: Decision, retry: Retry, asked: Resources | None) -> Iterator[str]:
    """What changes for the next attempt."""
    if decision.damaged:
        yield f"once its damaged input {decision.damaged[:12]} is recomputed"
    if asked and asked.memory_bytes != retry.resources.memory_bytes:
        had = _memory(asked.memory_bytes) if asked.memory_bytes else "none reserved"
        yield f"with {_memory(retry.resources.memory_bytes)} of memory instead of {had}"
    if asked and asked.num_gpus != retry.resources.num_gpus:
        yield f"with {retry.resources.num_gpus:g} GPU instead of {asked.num_gpus:g}"
    if decision.avoid:
        yield f"avoiding node {', '.join(decision.avoid)}"


def _row(attempt: PastAttempt, decision: Decision) -> tuple[str, ...]:
    retry = decision.retry
    changes = _changes(decision, retry, attempt.resources) if retry else [_decision_text(decision, attempt.resources)]
    return (
        when(attempt.ended_s),
        attempt.stage,
        attempt.label,
        attempt.key[:12],
        str(attempt.run),
        str(attempt.number),
        attempt.cause,
        attempt.host or "unknown",
        f"{attempt.duration_s:.1f} s",
        f"{retry.delay_s:.1f} s" if retry else "",
        ", ".join(changes) or "nothing",
    )


def _request(resources: Resources) -> str:
    parts = [f"{resources.num_cpus:g} CPU"]
    parts += [f"{resources.num_gpus:g} GPU"] if resources.num_gpus else []
    parts += [_memory(resources.memory_bytes)] if resources.memory_bytes else []
    return ", ".join(parts)


def _memory(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
