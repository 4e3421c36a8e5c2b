"""What a process of the command writes to the terminal by itself, warnings and tracebacks: without secrets."""

import logging
import sys
import traceback
from types import TracebackType

from jobs.secrets import mask


def mask_output() -> None:
    """Print warnings, and the tracebacks of bugs, without the secrets in them."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Masked("%(message)s"))
    logging.basicConfig(handlers=[handler])
    sys.excepthook = _print_masked


class _Masked(logging.Formatter):
    """Formats records without the secrets in them."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record, its traceback included."""
        return mask(super().format(record))


def _print_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug, without secrets."""
    sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))
