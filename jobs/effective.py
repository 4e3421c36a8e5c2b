"""A sweep as it runs: every value, also those that the file leaves out, and settings by their contents."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def effective(value: Any) -> Any:
    """A record of the sweep file as plain data, with every value that is not None; names of settings are left out."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        shown = {name: getattr(value, name) for name, field in fields.items() if field.exclude is not True}
        return {name: effective(each) for name, each in shown.items() if each is not None}
    if isinstance(value, Mapping):
        return {name: effective(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [effective(each) for each in value]
    return value
