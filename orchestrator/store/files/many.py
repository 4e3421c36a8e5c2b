"""The same question about many files."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from orchestrator.store.files.base import Files

_REQUESTS_AT_ONCE = 32

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(files: Files, ask: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """`ask` for every item, in order; many at once where each is a request over a network.

    Args:
        files: What is asked.
        ask: Called in other threads where `files` is remote.
        items: Taken as they are needed, so that answers which nobody has looked at are few.
    """
    if not files.is_remote:
        yield from map(ask, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(max_workers=_REQUESTS_AT_ONCE) as threads:
        asked = deque(threads.submit(ask, item) for item in islice(source, 2 * _REQUESTS_AT_ONCE))
        while asked:
            yield asked.popleft().result()
            asked.extend(threads.submit(ask, item) for item in islice(source, 1))
