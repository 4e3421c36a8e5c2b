"""What a read that failed tells: of the file, of this machine, or of a moment."""

from jobs.errors import BadInputError, UnfitMachineError

_NOT_HERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def unreadable(error: Exception, message: str) -> Exception:
    """The error to raise for a read that failed.

    Args:
        error: What the read raised.
        message: What could not be read, why, and what to do.

    Returns:
        An `OSError` of the same number where the system failed, as a network file system or a server does for a
        moment; an `UnfitMachineError` where the file is not there, or not readable here; else a `BadInputError`: it is
        not what it should be.
    """
    if not isinstance(error, OSError):
        return BadInputError(message)
    if isinstance(error, _NOT_HERE):
        return UnfitMachineError(message)
    if error.errno:
        return OSError(error.errno, message)
    return OSError(message) if isinstance(error, ConnectionError | TimeoutError) else BadInputError(message)
