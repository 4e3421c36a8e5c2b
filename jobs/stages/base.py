"""Base classes of stage parameters: their JSON form, their input artifacts, and the appearing tasks that they join."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from jobs.identity import Json, Parsed


class ArtifactKey(str):
    """The key of an input artifact. A field of this type is an edge of the DAG; its name is the role of the input."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validates any string into a key."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParams:
    """The parameters of one stage: everything that can change its result, the artifacts that it reads included.

    Plain records: their values are checked already, by the records of the sweep file that they are made of.

    Attributes:
        seed: The random seed; None where the stage uses no randomness.
    """

    seed: int | None = None

    @property
    def revision(self) -> int | None:
        """Raised where only the results of such parameters change; a stage's version retires those of all.

        None as long as they have not changed since the version.
        """
        return None

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
    """A task that becomes known while a sweep runs.

    Attributes:
        params: Its parameters, of the type that the joining record's `adds` names.
        name: Part of its label that distinguishes it from its siblings.
        work: Its relative cost among them.
    """

    params: StageParams
    name: str
    work: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JoiningParams(StageParams, ABC):
    """Parameters of a task that joins others which cannot be planned before one of its inputs is there.

    The scheduler (to run them), `orchard gc` (to keep them) and the joining stage (to read them) all derive the
    appearing tasks with `jobs.task.joined_tasks`; their keys follow from these parameters and the measurements.

    A task that appears may itself join others, if they follow from the same source.

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
