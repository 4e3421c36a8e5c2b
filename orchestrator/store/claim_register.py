"""The table of claims: which driver computes which keys.

    claims/00000012.json     the table after its twelfth change; the newest number is valid

A change is a file with the next number, written by a creation that only one driver can win; who loses reads what the
winner wrote and tries again. So all drivers see the same changes in the same order, whatever clocks they have. Old
files are deleted; a driver that slept meanwhile may create one of their numbers again, and finds a newer one beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from orchestrator.store.files import Files, map_files
from orchestrator.store.seals import seal_json, unseal_json
from orchestrator.store.terms import LeaseTerm

CLAIMS = "claims"
"""The folder of the table."""

_KEPT = 16
"""So many old tables are kept, to fall back on where the newest is damaged; twice as many are listed at most."""


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Holder(TypedDict):
    sweep: str
    number: Annotated[int, Field(ge=1)]
    keys: list[str] | None


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Content(TypedDict):
    holders: list[_Holder]


_CONTENT = TypeAdapter(_Content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTable:
    """Which drivers compute, and what.

    Attributes:
        keys: The keys that each driver has claimed, by its lease term; None: all keys that no other has.
    """

    keys: Mapping[LeaseTerm, frozenset[str] | None] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The table as JSON that ends with its own digest."""
        holders = [
            {"sweep": term.sweep, "number": term.number, "keys": None if keys is None else sorted(keys)}
            for term, keys in self.keys.items()
        ]
        return seal_json({"holders": holders})

    @classmethod
    def from_bytes(cls, content: bytes) -> "ClaimTable":
        """The inverse of `to_bytes`.

        Raises:
            ValueError: It is damaged.
        """
        try:
            holders = _CONTENT.validate_python(unseal_json(content))["holders"]
        except ValidationError as error:
            raise ValueError(str(error)) from None
        return cls(
            keys={
                LeaseTerm(sweep=each["sweep"], number=each["number"]): None
                if each["keys"] is None
                else frozenset(each["keys"])
                for each in holders
            }
        )


class ClaimRegister:
    """The table of claims of a store, as one driver reads and changes it.

    Args:
        files: The files of the store.

    Attributes:
        table: As it was last read.
    """

    def __init__(self, files: Files) -> None:
        self.table = ClaimTable()
        self._files = files
        self._number = 0

    def has_changed(self) -> bool:
        """Whether the table was changed since it was last read."""
        return max(self._numbers(), default=0) != self._number

    def read(self) -> ClaimTable:
        """The table; costs a listing where it has not changed."""
        while True:
            numbers = self._numbers()
            newest = max(numbers, default=0)
            if newest == self._number:
                return self.table
            try:
                self.table, self._number = self._load(numbers), newest
            except FileNotFoundError:
                continue  # so many changes were made meanwhile that it was deleted
            self._delete_old(numbers)

    def update(self, change: Callable[[ClaimTable], ClaimTable]) -> ClaimTable:
        """Change the table.

        Args:
            change: From a table to what it should be; called again where another driver was faster, and until it has
                nothing to change any more.

        Returns:
            The table, which `change` leaves as it is.
        """
        while (changed := change(self.table)) != self.table:
            number = self._number + 1
            # No claim outlives its driver: where a power cut leaves an incomplete table, it has ended them all.
            created = self._files.create(_path(number), changed.to_bytes(), sync=False)
            if created and (numbers := self._numbers()) and max(numbers) == number:
                self.table, self._number = changed, number
                self._delete_old(numbers)
            else:
                self.read()
        return self.table

    def _numbers(self) -> list[int]:
        names = self._files.names(CLAIMS)
        return [int(name[:8]) for name in names if name.endswith(".json") and name[:8].isdigit()]

    def _load(self, numbers: Sequence[int]) -> ClaimTable:
        """The newest table; empty where there is none.

        Where it is damaged, the drivers in the one before it may have claimed anything, until they write it again.

        Raises:
            FileNotFoundError: One was deleted meanwhile.
        """
        newest = max(numbers, default=0)
        for number in sorted(numbers, reverse=True):
            try:
                table = ClaimTable.from_bytes(self._files.read(_path(number)))
            except ValueError:
                continue
            return table if number == newest else ClaimTable(keys=dict.fromkeys(table.keys))
        return ClaimTable()

    def _delete_old(self, numbers: Sequence[int]) -> None:
        if len(numbers) > 2 * _KEPT:
            for _ in map_files(self._files, self._files.delete, map(_path, sorted(numbers)[:-_KEPT])):
                pass


def _path(number: int) -> str:
    return f"{CLAIMS}/{number:08d}.json"
