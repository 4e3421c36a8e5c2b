"""The data set of a task: its parameters say which, its locations say where."""

from workers.data import ImageData, load_dataset
from workers.stages._base import Context


def read_data(context: Context) -> ImageData:
    """The data set that a task names.

    Raises:
        BadInputError: It cannot be read on this machine.
    """
    data = context.params["data"]
    normalize = data["normalize"]
    return load_dataset(
        data["dataset"],
        context.task.locations.get("data"),
        normalize=(normalize["mean"], normalize["std"]) if normalize else None,
        arguments=data["arguments"],
    )
