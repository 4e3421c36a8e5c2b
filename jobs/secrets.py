"""Keeps secrets out of everything that is written or shown, and fills in the variables that stand for them.

What is masked: passwords and tokens in URIs, keys in assignments and dumps of the environment, and the values of
environment variables whose names say that they are secret. Pure but for reading the environment.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jobs.errors import BadInputError
from jobs.identity import Json

MASK = "***"

_SHORTEST = 8
"""Shorter values of variables are words rather than secrets, and would be masked everywhere."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ONLY_VARIABLE = re.compile(rf"(?:{{|%7B)?{_VARIABLE.pattern}(?:}}|%7D)?", re.IGNORECASE)
"""A variable alone, in braces where it stands in a connection string of ODBC."""
_NAME = (
    r"(?:secret|token|passw(?:or)?d|(?<=_)pwd|passphrase|credential|access_?key|api_?key|private_?key"
    r"|connection_?string)"
)
"""`PWD` alone is a secret in a connection string only: elsewhere it is the folder that a process runs in."""
_SECRET_NAME = re.compile(rf"{_NAME}(?:_id|_key)?$", re.IGNORECASE)

_END = r"\s'\"<>\\"
"""What ends a URI within a text."""
_USER, _PORT = rf"(://[^{_END}/:]*:)", r"(?!\d+[/?#])"
_PASSWORD = re.compile(rf"(?:(?<!http)(?<!https){_USER}|(?:(?<=http)|(?<=https)){_USER}{_PORT})([^{_END}]*)@")
_TOKEN = re.compile(rf"(https?://)([^{_END}/@:]{{20,}})@")
_QUERY = re.compile(rf"([?&;#][\w.%-]*(?:{_NAME}|signature|\bsig|\bkey|\bauth)[\w.%-]*=)([^{_END}&;#]+)", re.IGNORECASE)
_CONNECTION = re.compile(  # of ODBC; within a URI it may be percent-encoded
    rf"((?:[?&;=]|%3B|%3D)[\s+]*(?:{_NAME}|pwd)[\s+]*(?:=|%3D))"
    rf"(\{{[^{_END}}}]+\}}+|%7B(?:(?!%7D)[^{_END}&])+(?:%7D)+|(?:(?!%3B)[^{_END}&;])+)",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(
    rf"(\b\w*{_NAME}(?:_id|_key)?\b[\"']?\s*(?:=|:(?!//))\s*[\"']?)"
    rf"((?:bearer\s+|basic\s+)?(?:\$\{{\w+\}}|[^{_END},;&}}\]]|,(?!\w+[\"']?\s*[=:]|[{_END}]|$))+)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+)([^\s'\",]+)", re.IGNORECASE)
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")

_filled: set[str] = set()
"""Values of variables that were filled in where a password or token stands."""


def mask(text: str) -> str:
    """A text with `***` in the place of every secret; `${VARIABLE}` stays, because it is none."""
    for value in _secret_values():
        text = text.replace(value, MASK)
    for pattern in (_PASSWORD, _TOKEN, _CONNECTION, _QUERY, _HEADER, _ASSIGNMENT):
        text = pattern.sub(_masked, text)
    return _ACCESS_KEY.sub(MASK, text)


def masked_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with all its strings masked, and those whose key says that they are secret."""
    return {name: _masked_field(name, each) for name, each in record.items()}


def masked(value: Json) -> Json:
    """A JSON value, masked in the same way."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return masked_record(value)
    return [masked(each) for each in value] if isinstance(value, Sequence) else value


def fill(uri: str, field: str) -> str:
    """A URI of the sweep file with the values of its `${VARIABLE}`s, for the driver alone: never written anywhere.

    In the place of user and password a value is quoted, so that it may hold any character.

    Args:
        uri: The URI as the sweep file has it.
        field: Its path in the sweep file, for messages.

    Raises:
        BadInputError: A variable is not set, or the URI holds a mask instead of a password.
    """
    if any(each in uri.upper() for each in (f":{MASK}@", f"={MASK}", f"%3D{MASK}")):
        raise BadInputError(
            f"{field}: {uri} has no password: passwords are not stored with a sweep. Give the whole URI again, or "
            "write ${VARIABLE} for the password in the sweep file, and set that variable"
        )
    values: list[str] = []

    def value_of(found: re.Match[str]) -> str:
        value = os.environ.get(found[1])
        if value is None:
            raise BadInputError(f"{field}: {uri}: the environment has no variable {found[1]}; set it for the driver")
        user_or_password = "://" in uri[: found.start()] and re.match(r"[^/\s]*@", uri[found.end() :])
        values.extend({value, quote(value, safe="")})
        return quote(value, safe="") if user_or_password else value

    filled = _VARIABLE.sub(value_of, uri)
    shown = mask(filled)
    _filled.update(value for value in values if value and value in filled and value not in shown)
    _filled.update(value for value in values if value and quote(value, safe="") in _filled)
    return filled


def _secret_values() -> list[str]:
    """The longest first, because one may be part of another."""
    named = {value for name, value in os.environ.items() if len(value) >= _SHORTEST and _SECRET_NAME.search(name)}
    return sorted(named | _filled, key=len, reverse=True)


def _masked(found: re.Match[str]) -> str:
    """The match with a mask in the place of its last group."""
    number = found.re.groups
    if not found[number] or _ONLY_VARIABLE.fullmatch(found[number]):
        return found[0]
    start, end = (place - found.start() for place in found.span(number))
    return f"{found[0][:start]}{MASK}{found[0][end:]}"


def _masked_field(name: str, value: Json) -> Json:
    if isinstance(value, str) and value and _SECRET_NAME.search(name) and not _VARIABLE.fullmatch(value):
        return MASK
    return masked(value)
