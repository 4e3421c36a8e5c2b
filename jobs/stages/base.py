"""What all parameters of stages have in common: a JSON form, the artifacts that they name, and tasks that they join."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from jobs.identity import Json, Parsed


class ArtifactKey(str):
    """The key of a task whose artifact is read. A field of this type is an edge of the DAG; its name is the role."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Any string is taken, and becomes a key."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParams:
    """The parameters of one stage: everything that can change its result, the artifacts that it reads included.

    Plain records: their values are checked already, by the records of the sweep file that they are made of.

    Attributes:
        seed: What all that is drawn follows from; None where nothing is drawn.
    """

    seed: int | None = None

    def document(self) -> dict[str, Json]:
        """The JSON form, which keys are made of; what is None is left out."""
        document: dict[str, Json] = _adapter(type(self)).dump_python(self, exclude_none=True)
        return document

    @classmethod
    def from_document(cls, document: Parsed) -> Self:
        """The parameters whose JSON form this is.

        Raises:
            ValueError: It is that of other parameters.
        """
        parameters: Self = _adapter(cls).validate_json(json.dumps(document))
        return parameters

    def inputs(self) -> dict[str, str]:
        """The artifacts that are read: role (dotted names of fields) -> key."""
        found: dict[str, str] = {}
        _collect(self, "", found)
        return found


_adapters: dict[type, TypeAdapter[Any]] = {}
_names: dict[type, tuple[str, ...]] = {}


def _adapter(record: type) -> TypeAdapter[Any]:
    """What turns a record into JSON and back; made once."""
    if record not in _adapters:
        _adapters[record] = TypeAdapter(record)
    return _adapters[record]


def _field_names(record: type) -> tuple[str, ...]:
    if record not in _names:
        _names[record] = tuple(each.name for each in fields(record)) if is_dataclass(record) else ()
    return _names[record]


def _collect(value: object, role: str, found: dict[str, str]) -> None:
    if isinstance(value, ArtifactKey):
        found[role] = value
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            _collect(each, f"{role}.{number}", found)
    else:
        for name in _field_names(type(value)):
            _collect(getattr(value, name), f"{role}.{name}" if role else name, found)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class JoiningParams(StageParams, ABC):
    """Parameters of a task that joins others which cannot be planned before one of its inputs is there.

    The scheduler (to run them), the store's housekeeping (to keep them) and the joining stage (to read them) all derive
    them with `jobs.task.joined_tasks`; their keys follow from these parameters and what was measured.

    A task that appears may itself join others, if they follow from the same source.

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
