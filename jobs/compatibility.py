"""What this version knows of a record that another version of Orchard may have written."""

from dataclasses import fields
from typing import Any

from jobs.identity import Parsed


def known_fields(record: type, value: Parsed) -> dict[str, Any]:
    """The fields of a JSON object that a record class has; what a later version adds is left out.

    Args:
        record: A dataclass.
        value: The object.
    """
    names = {field.name for field in fields(record)}
    return {name: each for name, each in value.items() if name in names}
