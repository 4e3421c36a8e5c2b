"""Parses YAML and also reports duplicate keys, which PyYAML accepts silently."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from jobs.errors import Fault


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-4 as a number, as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str) -> tuple[Any, list[Fault]]:
    """Parse a YAML text.

    Returns:
        The value (None where the text cannot be parsed at all), and the faults.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, []
        return loader.construct_document(node), list(_duplicates(node, ""))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        return None, [Fault(path="", problem=f"{where}{problem}; this is not YAML, mind indentation and quotes")]
    finally:
        loader.dispose()


def _duplicates(node: yaml.Node, path: str) -> Iterator[Fault]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, f"{path}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    first_line: dict[str, int] = {}
    for key, value in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        inner = f"{path}.{name}" if path else name
        if name in first_line:
            where = f"lines {first_line[name]} and {line}"
            yield Fault(path=inner, problem=f"duplicate key ({where}); rename or remove one")
        first_line.setdefault(name, line)
        yield from _duplicates(value, inner)
