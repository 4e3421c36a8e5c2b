"""Base classes of stage parameters: their JSON form, their input artifacts, and the appearing tasks that they join."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from jobs.identity import Json
from jobs.spec.base import Record


class ArtifactKey(str):
    """The key of an input artifact. A field of this type is an edge of the DAG; its name is the role of the input."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validates any string into a key."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True))


class StageParams(Record):
    """The parameters of one stage: everything that can change its result, its input artifacts included.

    Attributes:
        seed: The random seed; None where the stage uses no randomness.
    """

    seed: int | None = None

    def document(self) -> dict[str, Json]:
        """The JSON form, which keys are computed from; fields that are None are left out."""
        return self.model_dump(exclude_none=True)


def inputs_of(document: Mapping[str, Json]) -> dict[str, str]:
    """The input artifacts of a parameters document: role (dotted field names) -> key."""
    found: dict[str, str] = {}
    _collect(document, "", found)
    return found


def _collect(value: Json, role: str, found: dict[str, str]) -> None:
    # The concrete types that pydantic gives: abstract ones take three times as long, and this runs for every task.
    if isinstance(value, ArtifactKey):
        found[role] = value
    elif isinstance(value, dict):
        for name, each in value.items():
            _collect(each, f"{role}.{name}" if role else name, found)
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            _collect(each, f"{role}.{number}", found)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppearingTask:
    """A task that becomes known while a sweep runs.

    Attributes:
        params: Its parameters, of the type that the joining record's `adds` names.
        name: Part of its label that distinguishes it from its siblings.
        work: Its relative cost among them.
    """

    params: StageParams
    name: str
    work: float = 1.0


class JoiningParams(StageParams):
    """Parameters of a joining task: it also waits for appearing tasks, which depend on what one of its inputs measures.

    The scheduler (to run them), `orchard gc` (to keep them) and the joining stage (to read them) all derive the
    appearing tasks with `jobs.task.joined_tasks`; their keys follow from these parameters and the measurements.

    Attributes:
        adds: The parameters type of the appearing tasks.
    """

    adds: ClassVar[type[StageParams]]

    @property
    @abstractmethod
    def source(self) -> ArtifactKey:
        """The input whose measurements determine the appearing tasks."""

    @abstractmethod
    def placeholder_measurements(self) -> Mapping[str, Json]:
        """Plausible measurements of the source, for simulations."""

    @abstractmethod
    def branches(self, measured: Mapping[str, Json]) -> Sequence[AppearingTask]:
        """The appearing tasks, given the measurements of the source."""
