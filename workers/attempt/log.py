"""The log of one attempt: what was logged while it ran, kept in the store under its key.

Knows no cause and no stage.
"""

import logging
import os

from jobs.artifact import Store
from jobs.task import Task

logger = logging.getLogger("orchard")
logger.setLevel(logging.INFO)  # what a terminal shows of it is its handler's choice


class _Collector(logging.Handler):
    """Keeps the formatted records of the task that runs; a process runs one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


_COLLECTOR = _Collector()
logger.addHandler(_COLLECTOR)


def start_log() -> None:
    """Forget what earlier attempts logged."""
    _COLLECTOR.records = []


def keep_log(task: Task, store: Store, ending: str = "") -> str:
    """Write the log of the attempt that has ended; nothing is written where nothing was said.

    Args:
        task: What ran.
        store: Where it is kept.
        ending: What is added, e.g. the traceback of a failure.

    Returns:
        Its address, or why it could not be written; empty where there was nothing to write.
    """
    if not (_COLLECTOR.records or ending):
        return ""
    text = "\n".join([f"{task.stage} {task.label} ({task.key})", *_COLLECTOR.records, *([ending] if ending else [])])
    try:
        return store.write_log(task.key, text)
    except OSError as error:
        return f"not written: {error} (process {os.getpid()})"
