"""What of a user's code and data has changed since a sweep was recorded, and which tasks run again because of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from jobs.identity import Parsed
from jobs.spec.sweep import SweepSpec
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.results.curves import SweepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that has changed.

    Attributes:
        name: The import path of the code, or the path of the data set in the sweep file.
        is_code: Whether it is code.
        modules: Of code: the modules that were changed, added or taken away; empty where the record does not say.
        keys: The tasks of the plan that are not in the store, though the store has what they were before the change.
    """

    name: str
    is_code: bool
    modules: tuple[str, ...]
    keys: frozenset[str]


def changes_since(
    record: SweepRecord, spec: SweepSpec, plan: Plan, present: Callable[[Iterable[str]], set[str]]
) -> tuple[Change, ...]:
    """What has changed since the sweep was recorded.

    Args:
        record: The sweep's record.
        spec: The sweep file as it is now.
        plan: Its plan.
        present: Which of some keys are in the store.
    """
    now, before = plan.environment, record.environment
    reverted = dict(_reverted(before, now))
    if not reverted:
        return ()
    whole = now
    for _, undo in reverted.values():
        whole = undo(whole)
    earlier = _pairs(spec, whole, plan)
    stored = present({*earlier, *earlier.values()})
    again = {key for key, old in earlier.items() if key not in stored and old in stored}
    return tuple(
        Change(
            name=name,
            is_code=is_code,
            modules=_changed_modules(name, before, now) if is_code else (),
            keys=frozenset(again & _pairs(spec, undo(now), plan).keys()),
        )
        for name, (is_code, undo) in reverted.items()
    )


_Undo = Callable[[PlanEnvironment], PlanEnvironment]


def _reverted(before: Parsed, now: PlanEnvironment) -> Iterator[tuple[str, tuple[bool, _Undo]]]:
    """What has changed: its name, whether it is code, and what undoes the change."""
    for name, old in _differing(before.get("sources"), now.sources):
        yield name, (True, partial(_with_source, name, old))
    for name, old in _differing({"data": before.get("data", now.data)}, {"data": now.data}):
        yield name, (False, partial(_with_data, old))
    for name, old in _differing(before.get("own_data"), now.own_data):
        yield name, (False, partial(_with_own_data, name, old))


def _with_source(name: str, old: str, environment: PlanEnvironment) -> PlanEnvironment:
    return replace(environment, sources={**environment.sources, name: old})


def _with_data(old: str, environment: PlanEnvironment) -> PlanEnvironment:
    return replace(environment, data=old)


def _with_own_data(name: str, old: str, environment: PlanEnvironment) -> PlanEnvironment:
    return replace(environment, own_data={**environment.own_data, name: old})


def _differing(before: Mapping[str, str] | None, now: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is in both with different values, with the earlier one."""
    known = before or {}
    return [(name, known[name]) for name in now if known.get(name, now[name]) != now[name]]


def _pairs(spec: SweepSpec, environment: PlanEnvironment, plan: Plan) -> dict[str, str]:
    """Keys of the plan's tasks that have another key in this environment, and that key."""
    other = plan_sweep(spec, environment)
    both = zip(plan.tasks, other.tasks, strict=True)  # tasks that are one in one environment are one in the other
    return {key: old for key, old in both if key != old}


def _changed_modules(name: str, before: Parsed, now: PlanEnvironment) -> tuple[str, ...]:
    known, found = before.get("modules", {}).get(name), now.modules.get(name, {})
    if known is None:
        return ()
    return tuple(sorted(module for module in {*known, *found} if known.get(module) != found.get(module)))
