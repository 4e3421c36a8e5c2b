"""The log of one attempt: its records, kept in the store under its key."""

import logging
import os

from jobs.artifact import Store
from jobs.task import Task

logger = logging.getLogger("orchard")
logger.setLevel(logging.INFO)  # the handler of a terminal filters further


class _Collector(logging.Handler):
    """Collects the formatted records of the running task; a process runs one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


_COLLECTOR = _Collector()
logger.addHandler(_COLLECTOR)


def start_log() -> None:
    """Drop the records of earlier attempts."""
    _COLLECTOR.records = []


def keep_log(task: Task, store: Store, ending: str = "") -> str:
    """Write the log of the attempt that has ended; an empty log is not written.

    Args:
        task: The task that ran.
        store: Where the log is kept.
        ending: Appended text, e.g. the traceback of a failure.

    Returns:
        Its address, or why it could not be written; empty for an empty log.
    """
    if not (_COLLECTOR.records or ending):
        return ""
    text = "\n".join([f"{task.stage} {task.label} ({task.key})", *_COLLECTOR.records, *([ending] if ending else [])])
    try:
        return store.write_log(task.key, text)
    except OSError as error:
        return f"not written: {error} (process {os.getpid()})"
