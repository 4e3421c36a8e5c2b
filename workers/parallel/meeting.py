"""Where the processes of a training meet: at a file of their machine, or at a port of the first one's machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from torch.distributed import FileStore, Store, TCPStore  # type: ignore[attr-defined]  # they are public


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of the first process's machine.

    Attributes:
        host: Its address.
        port: Its number.
    """

    host: str
    port: int


Meeting: TypeAlias = Store
"""What processes find at a place: torch's store of keys and values, in which they exchange addresses."""

Place: TypeAlias = Path | Port
"""A file that all of them can write, not there before; or a port."""


def meet(place: Place, number: int, size: int) -> Meeting:
    """Come to the place of meeting, as process `number` of `size`. At a port, the first one must have opened it."""
    if isinstance(place, Path):
        return FileStore(str(place), size)
    store: Meeting = TCPStore(place.host, place.port, is_master=False)
    store.set(_arrival(number), "")
    return store


def open_port(host: str) -> tuple[Meeting, Port]:
    """Open a free port of this machine, as the first process.

    Args:
        host: The machine's address, as the others reach it.
    """
    store = TCPStore(host, 0, is_master=True, wait_for_workers=False)
    return store, Port(host=host, port=store.port)


def have_come(store: Meeting, numbers: Iterable[int]) -> bool:
    """Whether all these processes have come to the port."""
    return bool(store.check([_arrival(number) for number in numbers]))


def _arrival(number: int) -> str:
    return f"orchard: process {number} has come"
