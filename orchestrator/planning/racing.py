"""Plans races: trainings of several methods at one compression, of which only the best go on to the end.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943). The training of each entrant is a line of tasks, one
leg up to each rung; at a rung a `race` task waits for all of them, and the next legs read what it has decided.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from jobs.spec.methods import DenseMethod
from jobs.spec.protocols import RaceSpec
from jobs.stages.base import ArtifactKey
from jobs.stages.training import FurtherTraining, Leg, RaceParams, ScratchTraining
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.methods import plan_method
from orchestrator.planning.networks import add_retrain_task
from orchestrator.planning.trial import Trial

Entrants = Mapping[str, tuple[Trial, ...]]
"""Method -> its trials, one for each seed."""


def entrants_of(tasks: TaskCollector, protocol: str, trial: Trial) -> Entrants:
    """The trials of all methods that a protocol trains at the compression of one of them, on the same model.

    The dense network is none: what others are compared with is trained to the end.
    """
    return {
        method: tuple(replace(trial, method=method, seed=seed) for seed in tasks.seeds)
        for method, spec in tasks.spec.methods.items()
        if not isinstance(spec, DenseMethod)
        and spec.applies_to(trial.model)
        and protocol in tasks.spec.protocols_of(spec)
        and trial.compression in tasks.spec.compressions_of(method)
    }


class PlannedRace:
    """One race.

    Args:
        tasks: Collects the tasks.
        protocol: The protocol's name in the sweep.
        race: Its rungs, and how many go on.
        entrants: Who takes part, at least two methods.
        procedure: The whole training of a trial, given its pruned network.
    """

    def __init__(
        self,
        tasks: TaskCollector,
        protocol: str,
        race: RaceSpec,
        entrants: Entrants,
        procedure: Callable[[Trial, ArtifactKey], FurtherTraining | ScratchTraining],
    ) -> None:
        self._tasks, self._protocol, self._race = tasks, protocol, race
        self._entrants, self._procedure = entrants, procedure

    def trained(self, trial: Trial) -> ArtifactKey:
        """The network of an entrant after the race: trained to the end, or as far as it came."""
        return self._leg(trial, len(self._race.rungs))

    def _leg(self, trial: Trial, number: int) -> ArtifactKey:
        """The training of an entrant up to a rung, from 0; after the last one, to the end."""

        def add() -> ArtifactKey:
            rungs = (0.0, *self._race.rungs, 1.0)
            until = rungs[number + 1] if number < len(self._race.rungs) else None
            leg = Leg(until=until)
            if number:
                leg = replace(leg, start=self._leg(trial, number - 1), race=self._decided(trial, number - 1))
            with self._tasks.uncounted():
                procedure = self._procedure(trial, plan_method(self._tasks, trial))
            label = trial.label if until is None else f"{trial.label}/rung{number + 1}"
            work = (rungs[number + 1] - rungs[number]) * self._race.keep**number  # of those that are out it is none
            return add_retrain_task(self._tasks, replace(procedure, leg=leg), trial, label, work)

        return self._tasks.once(("leg", self._protocol, trial, number), add)

    def _decided(self, trial: Trial, number: int) -> ArtifactKey:
        """Which trainings go on after a rung; sorted, so that nothing depends on the order of a sweep's methods."""

        def add() -> ArtifactKey:
            with self._tasks.uncounted():
                legs = [tuple(self._leg(each, number) for each in trials) for trials in self._entrants.values()]
            problem = self._tasks.problem_of(trial.model)
            params = RaceParams(entrants=tuple(sorted(legs)), keep=self._race.keep, objective=problem.objective)
            return self._tasks.add(params, f"{trial.race_label}/rung{number + 1}", model=trial.model)

        return self._tasks.once(("race", self._protocol, trial.race_label, number), add)
