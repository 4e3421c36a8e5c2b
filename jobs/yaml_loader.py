"""Parses YAML from anyone: within limits of size, nesting and repetition, and without duplicate keys.

PyYAML by itself follows anchors that contain themselves, expands repeated ones without end, and recurses as deep as a
file nests. Dates are texts here, and explicit tags are refused: a sweep file needs neither.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import yaml

from jobs.errors import Fault

MOST_CHARACTERS, MOST_VALUES, DEEPEST, LONGEST_NUMBER = 200_000, 20_000, 30, 300
"""Limits of a file: characters; values, those of repeated anchors counted as often as they are used; levels; digits."""

_MOST_FAULTS = 50
_FLOAT, _DATE = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class _LimitError(yaml.MarkedYAMLError):
    """A limit is exceeded at a mark."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-4 as a number, as YAML 1.2 does, dates as texts, and keeps to the limits."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._open: set[str] = set()
        self._sizes: dict[yaml.Node, tuple[int, int]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node; its anchors must not contain themselves, and it must not be too large or too deep."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) and event.anchor in self._open:
            raise _LimitError(f"the anchor '{event.anchor}' contains itself", event.start_mark)
        if getattr(event, "tag", None) not in (None, "!"):
            raise _LimitError(f"the tag {event.tag} is not allowed; use none", event.start_mark)
        if self._depth >= DEEPEST:
            raise _LimitError(f"more than {DEEPEST} levels of nesting", event.start_mark)
        anchor = None if isinstance(event, yaml.AliasEvent) else event.anchor
        self._depth += 1
        self._open |= {anchor} if anchor else set()
        node = super().compose_node(parent, index)
        self._open -= {anchor} if anchor else set()
        self._depth -= 1
        if node is not None:
            self._measure(node)
        return node

    def _measure(self, node: yaml.Node) -> None:
        """Check the size and depth of a node, its repeated parts counted as often as they are used."""
        if node in self._sizes:
            return
        if isinstance(node, yaml.ScalarNode):
            if found := _UNUSABLE.search(node.value):
                raise _LimitError(f"the character {found[0]!r} is not allowed", node.start_mark)
            self._sizes[node] = (1, 1)
            return
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        size = 1 + sum(self._sizes[part][0] for part in parts)
        depth = 1 + max((self._sizes[part][1] for part in parts), default=0)
        if size > MOST_VALUES or depth > DEEPEST:
            limit = (
                f"more than {MOST_VALUES} values" if size > MOST_VALUES else f"more than {DEEPEST} levels of nesting"
            )
            raise _LimitError(f"{limit}, anchors counted wherever they are used", node.start_mark)
        self._sizes[node] = (size, depth)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _number(loader: _Loader, node: yaml.ScalarNode) -> int:
    if len(node.value) > LONGEST_NUMBER:
        raise _LimitError(f"a number of more than {LONGEST_NUMBER} digits", node.start_mark)
    try:
        return yaml.SafeLoader.construct_yaml_int(loader, node)
    except ValueError:
        raise _LimitError(f"{node.value!r} is no number", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def parse_yaml(text: str) -> tuple[Any, list[Fault]]:
    """Parse a YAML text.

    Returns:
        The value (None where the text cannot be parsed at all), and the faults.
    """
    if len(text) > MOST_CHARACTERS:
        return None, [Fault(path="", problem=f"has more than {MOST_CHARACTERS} characters; a sweep has fewer")]
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, []
        duplicates = list(islice(_duplicates(node, ""), _MOST_FAULTS))
        return loader.construct_document(node), duplicates
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        hint = "" if isinstance(error, _LimitError) else "; this is not YAML, mind indentation and quotes"
        return None, [Fault(path="", problem=f"{where}{problem}{hint}")]
    except (ValueError, OverflowError) as error:  # a character or number that Python has none for
        return None, [Fault(path="", problem=f"{error}; this is not YAML, mind indentation and quotes")]


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
