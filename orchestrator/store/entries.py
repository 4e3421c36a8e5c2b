"""The entries of a journal: what each kind holds, and how a line is read.

Fields that entries of version 0.1 lack are `NotRequired`. Limits keep sums and dates of any entries computable.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from jobs.identity import Parsed
from jobs.outcome import Cause
from jobs.stages.table import StageKind

UNREADABLE: Parsed = {"kind": "unreadable"}
"""Stands for a line that is no known entry: torn, changed, or of another version."""

_config = with_config(ConfigDict(strict=True, extra="ignore", allow_inf_nan=False))
_Count = Annotated[int, Field(ge=0, le=10**12)]
_Bytes = Annotated[int, Field(ge=0, le=2**63)]
_Amount = Annotated[float, Field(ge=0, le=1e12)]
"""Of seconds, or of work."""
_Time = Annotated[float, Field(ge=0, le=4e9)]
"""Seconds since the epoch, before the year 2096."""


@_config
class _Resources(TypedDict):
    num_cpus: _Amount
    num_gpus: _Amount
    memory_bytes: _Bytes


@_config
class _Retry(TypedDict):
    delay_s: _Amount
    resources: _Resources
    damaged: str
    avoid: list[str]


@_config
class _Start(TypedDict):
    kind: Literal["start"]
    at_s: _Time
    term: _Count


_State = Literal["waiting", "ready", "running", "elsewhere", "done", "reused", "failed", "blocked"]


@_config
class _Counts(TypedDict):
    kind: Literal["counts"]
    at_s: _Time
    stages: dict[StageKind, dict[_State, _Count]]
    elsewhere: NotRequired[dict[str, _Count]]


@_config
class _Avoided(TypedDict):
    kind: Literal["avoided"]
    at_s: _Time
    node: str


@_config
class _End(TypedDict):
    kind: Literal["end"]
    at_s: _Time
    complete: bool
    stopped: str
    abrupt: NotRequired[bool]


@_config
class _Closed(TypedDict):
    kind: Literal["closed"]
    at_s: _Time
    term: _Count


@_config
class _Lost(TypedDict):
    kind: Literal["lost"]
    at_s: _Time
    entries: _Count


@_config
class _Attempt(TypedDict):
    at_s: _Time
    key: str
    stage: StageKind
    label: str
    attempt: _Count
    duration_s: _Amount
    gpu_s: NotRequired[_Amount]
    host: str
    family: NotRequired[str]
    resources: NotRequired[_Resources]
    node: NotRequired[str]
    memory_bytes: NotRequired[_Bytes]
    gpu_fraction: NotRequired[_Amount]
    log: NotRequired[str]


@_config
class _Succeeded(_Attempt):
    kind: Literal["succeeded"]
    reused: bool
    work: NotRequired[_Amount]
    deviation: NotRequired[str]
    nondeterministic: NotRequired[bool]


@_config
class _Failed(_Attempt):
    kind: Literal["failed"]
    cause: Cause
    message: str
    final: bool
    retry: NotRequired[_Retry | None]
    reason: NotRequired[str]


_Entry = Annotated[
    _Start | _Counts | _Avoided | _End | _Closed | _Lost | _Succeeded | _Failed, Field(discriminator="kind")
]
_ENTRY: TypeAdapter[Parsed] = TypeAdapter(_Entry)


def read_entry(line: bytes) -> Parsed:
    """The entry that a line holds; `UNREADABLE` where it is none."""
    try:
        return _ENTRY.validate_json(line)
    except ValidationError:
        return UNREADABLE
