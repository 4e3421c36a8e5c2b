"""What is wrong with a value, in the words of who wrote the file: what pydantic found, without its Python and JSON."""

import re
from ast import literal_eval
from collections.abc import Mapping

from pydantic_core import ErrorDetails

_LONGEST = 60

_TYPES: Mapping[str, str] = {
    "bool_type": "true or false",
    "string_type": "text, in quotes where it looks like something else",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
}
"""What pydantic found to be of another type -> what to give."""


def problem(details: ErrorDetails) -> str:
    """What was found, and what is allowed; where it lies does not matter for it."""
    kind, found, context = details["type"], shown(details["input"]), details.get("ctx", {})
    match kind:
        case "orchard":
            return details["msg"]
        case "missing":
            return "is missing; it must be given"
        case "literal_error":
            return f"{found} is not allowed; allowed: {_in_yaml(context['expected'])}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{found} is no mapping; write its keys and values"
        case "string_pattern_mismatch":
            return f"{found} is not a name; use letters, digits, '.', '_' and '-', and begin with a letter or digit"
        case _ if kind in _TYPES:
            return f"{found} is not valid; give {_TYPES[kind]}"
        case _:
            # pydantic's own message ("Input should be greater than 0") says what is allowed.
            return f"{found} is not valid: {details['msg'][0].lower()}{details['msg'][1:]}"


def written(value: object) -> str:
    """A value as a file has it (`null`, `true`, `[1, 2]`), with text in quotes."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list() | tuple() | range():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {written(inner)}' for key, inner in value.items())}}}"
        case _:
            return repr(value)


def shown(value: object) -> str:
    """A value as a file has it, the beginning of a long one."""
    text = written(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _in_yaml(expected: str) -> str:
    """The values that pydantic names, with its Python words as a file has them."""
    return re.sub(r"\b(True|False|None)\b", lambda found: written(literal_eval(found[0])), expected)
