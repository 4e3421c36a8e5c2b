"""Applies an operation to many files, concurrently where they are remote."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from orchestrator.store.files.base import Files

_REQUESTS_AT_ONCE = 32

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_files(files: Files, call: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Like `map(call, items)`, with concurrent calls where `files` is remote.

    Args:
        files: The files that `call` uses.
        call: Called in other threads where `files` is remote.
        items: Consumed lazily, so that few results are buffered.
    """
    if not files.is_remote:
        yield from map(call, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(max_workers=_REQUESTS_AT_ONCE) as threads:
        pending = deque(threads.submit(call, item) for item in islice(source, 2 * _REQUESTS_AT_ONCE))
        while pending:
            yield pending.popleft().result()
            pending.extend(threads.submit(call, item) for item in islice(source, 1))
