"""What all parameters of stages have in common: a JSON form, the artifacts that they name, and tasks that they join."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from jobs.identity import Json
from jobs.spec.base import Record


class ArtifactKey(str):
    """The key of a task whose artifact is read. A field of this type is an edge of the DAG; its name is the role."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Any string is taken, and becomes a key."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True))


class StageParams(Record):
    """The parameters of one stage: everything that can change its result, the artifacts that it reads included.

    Attributes:
        seed: What all that is drawn follows from; None where nothing is drawn.
    """

    seed: int | None = None

    def document(self) -> dict[str, Json]:
        """The JSON form, which keys are made of; what is None is left out."""
        return self.model_dump(exclude_none=True)


def inputs_of(document: Mapping[str, Json]) -> dict[str, str]:
    """The artifacts that a document of parameters names: role (dotted names of fields) -> key."""
    found: dict[str, str] = {}
    _collect(document, "", found)
    return found


def _collect(value: Json, role: str, found: dict[str, str]) -> None:
    # These are the types that pydantic gives; abstract ones take three times as long, and planning asks for every task.
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
    """A task that appears while a sweep runs.

    Attributes:
        params: Its parameters, of the kind that the joining record's `adds` names.
        name: For people, what sets it apart from its siblings.
        work: Hint of its cost among them.
    """

    params: StageParams
    name: str
    work: float = 1.0


class JoiningParams(StageParams):
    """Parameters of a task that joins others which cannot be planned before one of its inputs is there.

    The scheduler (to run them), the store's housekeeping (to keep them) and the joining stage (to read them) all derive
    them with `jobs.task.joined_tasks`; their keys follow from these parameters and what was measured.

    Attributes:
        adds: The record of the tasks that appear.
    """

    adds: ClassVar[type[StageParams]]

    @property
    @abstractmethod
    def source(self) -> ArtifactKey:
        """The input whose measurements tell which tasks there are."""

    @abstractmethod
    def pretended(self) -> Mapping[str, Json]:
        """What the source might measure, for simulations, which compute nothing."""

    @abstractmethod
    def branches(self, measured: Mapping[str, Json]) -> Sequence[AppearingTask]:
        """The tasks that are joined, given what the source measured."""
