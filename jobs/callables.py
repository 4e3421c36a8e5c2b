"""Whether a module has what a sweep file names of it, told from its syntax tree: nothing is imported.

What a module makes as it runs (`__getattr__`, `globals()`, a star import) is not seen; such a module is let through.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.errors import BadInputError, nearest
from jobs.sources import module_file

_MAKERS = {"exec", "globals", "setattr", "vars"}
"""What makes names that no statement shows."""

_LITERALS = (ast.Constant, ast.Dict, ast.DictComp, ast.JoinedStr, ast.List, ast.ListComp, ast.Set, ast.Tuple)


def check_callable(import_path: str) -> None:
    """Look for the callable of `package.module:callable` in the module's source.

    Of a dotted callable (`Net.small`) the first name is looked for.

    Raises:
        BadInputError: The module cannot be parsed, has no such name, or has data under it.
    """
    module, _, attributes = import_path.partition(":")
    name = attributes.partition(".")[0]
    file = module_file(module)
    if file is None or file.suffix != ".py":
        return
    try:
        found = _names_of(ast.parse(file.read_bytes()))
    except SyntaxError as error:
        raise BadInputError(f"{import_path}: {file}, line {error.lineno}: {error.msg}; correct the module") from None
    except (ValueError, RecursionError):
        return
    if found.is_open:
        return
    if name not in found.values:
        known = [each for each in found.values if not each.startswith("_") and not _is_data(found, each)]
        raise BadInputError(f"{import_path}: nothing in {file.name} is called '{name}'; {nearest(name, known)}")
    if _is_data(found, name) and "." not in attributes:
        raise BadInputError(f"{import_path}: '{name}' is no callable; name a function or class of {file.name}")


@dataclass(slots=True)
class _Names:
    """Names of a module -> what each is set to, where that is seen.

    Attributes:
        values: By name.
        is_open: There may be further ones.
    """

    values: dict[str, list[ast.expr | None]] = field(default_factory=dict)
    is_open: bool = False

    def add(self, name: str, value: ast.expr | None = None) -> None:
        self.values.setdefault(name, []).append(value)


def _is_data(found: _Names, name: str) -> bool:
    """Whether a name is only ever set to literals."""
    return all(isinstance(value, _LITERALS) for value in found.values[name])


def _names_of(tree: ast.Module) -> _Names:
    found = _Names()
    for node in _in_module(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names):
                for each in names:
                    found.add(each.asname or each.name.partition(".")[0])
            case ast.ImportFrom(names=names):
                for each in names:
                    found.add(each.asname or each.name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.add(name, value)
            case ast.Name(id=name, ctx=ast.Store()) if name not in found.values:
                found.add(name)
    globals_ = (name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)
    for name in globals_:
        found.add(name)
    makes = any(isinstance(node, ast.Name) and node.id in _MAKERS for node in ast.walk(tree))
    found.is_open = makes or not found.values.keys().isdisjoint({"*", "__getattr__"})
    return found


def _in_module(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of the module's own scope, from the top."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _in_module(child)
