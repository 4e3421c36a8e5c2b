"""Tasks that join others, of other kinds than those that are shipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from plain_tasks import ENVIRONMENT, ORDERING

from jobs.identity import Json
from jobs.stages.base import AppearingTask, ArtifactKey, JoiningParams, StageParams
from jobs.stages.channels import PermuteParams
from jobs.stages.scoring import ScoreParams
from jobs.stages.table import StageKind
from jobs.task import Task, make_task

MEASURED = {
    "criteria": ["l1", "l2", "fpgm"],
    "seeds": [4, 5],
    "groups": [{"name": "a", "width": 128}, {"name": "b", "width": 512}],
}
"""What every source measures here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteParams(JoiningParams):
    """Joins a scoring of a network by each of the criteria that something else measured to be worth it."""

    adds: ClassVar[type[StageParams]] = ScoreParams

    network: ArtifactKey
    criteria: ArtifactKey
    fraction: float = 0.5

    @property
    def source(self) -> ArtifactKey:
        return self.criteria

    def placeholder_measurements(self) -> Mapping[str, Json]:
        return MEASURED

    def branches(self, measured: Mapping[str, Json]) -> Sequence[AppearingTask]:
        names = measured["criteria"]
        return [
            AppearingTask(params=ScoreParams(network=self.network, criterion=name), name=name, work=float(len(name)))
            for name in names
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleParams(JoiningParams):
    """Joins permutations, which join orders themselves."""

    adds: ClassVar[type[StageParams]] = PermuteParams

    network: ArtifactKey

    @property
    def source(self) -> ArtifactKey:
        return self.network

    def placeholder_measurements(self) -> Mapping[str, Json]:
        return MEASURED

    def branches(self, measured: Mapping[str, Json]) -> Sequence[AppearingTask]:
        return [
            AppearingTask(params=PermuteParams(network=self.network, ordering=ORDERING, seed=seed), name=f"seed{seed}")
            for seed in measured["seeds"]
        ]


def vote_task(network: str, criteria: str, fraction: float = 0.5) -> Task:
    params = VoteParams(network=ArtifactKey(network), criteria=ArtifactKey(criteria), fraction=fraction)
    return make_task(params, stage=StageKind.PRUNE, environment=ENVIRONMENT, label="vote")


def ensemble_task(network: str) -> Task:
    return make_task(EnsembleParams(network=ArtifactKey(network)), stage=StageKind.CHOOSE, environment=ENVIRONMENT)
