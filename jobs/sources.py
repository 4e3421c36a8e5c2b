"""The user's own code as the syntax trees of its modules: what is named, and all that it imports of the same project.

Comments, docstrings and formatting do not count. Nothing is imported. Counted are imports by statement, wherever they
stand, and `import_module` of a name that is written out; what else code reads (files, names that are put together as
it runs) is not seen.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path

from jobs.errors import BadInputError
from jobs.identity import content_key

_OURS = {"jobs", "workers", "orchestrator"}
_INSTALLED = {"site-packages", "dist-packages"}
_SUFFIXES = (".py", *EXTENSION_SUFFIXES)
_IMPORTERS = {"import_module", "__import__"}


def source_fingerprint(modules: Mapping[str, str]) -> str:
    """The fingerprint of the user's own code, from its modules."""
    return content_key(modules)


def read_modules(import_path: str) -> Mapping[str, str]:
    """The modules behind the user's `package.module:callable`: name -> digest of the syntax tree, by name.

    Raises:
        BadInputError: There is no such module.
    """
    return {name: _digest(path, path.stat().st_mtime_ns) for name, path in project_modules(import_path).items()}


def project_modules(import_path: str) -> dict[str, Path]:
    """The files of the named module, and of those that it imports, directly or not, of the same project.

    Of the same project is what is neither installed nor part of Python or Orchard; of an installed package, its own
    modules alone.

    Raises:
        BadInputError: There is no such module.
    """
    named = import_path.partition(":")[0]
    if module_file(named) is None:
        raise BadInputError(f"{import_path}: no module '{named}' is found on this machine")
    top = named.partition(".")[0]
    tops = {top: True}
    found: dict[str, Path] = {}
    waiting = _with_parents(named)
    seen = set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        first = name.partition(".")[0]
        if first not in tops:
            tops[first] = _is_of_user(first)
        path = module_file(name) if tops[first] else None
        if path is not None:
            found[name] = path
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            waiting += [each for imported in _imports(path, package) for each in _with_parents(imported)]
    return dict(sorted(found.items()))


def _with_parents(name: str) -> list[str]:
    """A module and the packages that are imported before it."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _is_of_user(top: str) -> bool:
    """Whether a module or package, named without dots, belongs to somebody's project."""
    if top in _OURS or top in sys.stdlib_module_names:
        return False
    spec = _spec(top)
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else []
    return bool(places) and not any(_INSTALLED & set(Path(place).parts) for place in places)


def module_file(name: str) -> Path | None:
    """The file of a module, or of a package's `__init__.py`; None where there is none, and for names within a module.

    Args:
        name: With dots; nothing is imported.
    """
    top, *rest = name.split(".")
    spec = _spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None
    for root in spec.submodule_search_locations or ():
        place = Path(root, *rest)
        for file in (*(place.with_name(place.name + suffix) for suffix in _SUFFIXES), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top) if top else None
    except (ImportError, ValueError):  # made in this process
        return None


@lru_cache(maxsize=4096)
def _tree(path: Path, modified_ns: int) -> ast.Module | None:
    """The syntax tree of a file; None where it has none, so that its bytes count."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return None


def _imports(path: Path, package: str) -> Iterator[str]:
    """What a file imports: modules, and names that may be modules."""
    tree = _tree(path, path.stat().st_mtime_ns)
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _absolute("." * level + (module or ""), package)
                yield base
                yield from (f"{base}.{each.name}" for each in names)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if _called(func) in _IMPORTERS:
                yield _absolute(name, package)


def _called(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _absolute(name: str, package: str) -> str:
    """A module's full name, from one that may begin with dots."""
    bare = name.lstrip(".")
    up = len(name) - len(bare)
    if not up:
        return bare
    base = package.split(".")[: len(package.split(".")) - up + 1]
    return ".".join([*base, *([bare] if bare else [])])


@lru_cache(maxsize=4096)
def _digest(path: Path, modified_ns: int) -> str:
    tree = _tree(path, modified_ns)
    try:
        content = path.read_bytes() if tree is None else _text(tree).encode()
    except RecursionError:  # a sum of a thousand terms
        content = path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:32]


def _text(value: object) -> str:
    """A syntax tree as text, the same for all versions of Python: what is empty is left out, and so are docstrings."""
    match value:
        case ast.Constant(value=constant):
            return f"{type(constant).__name__} {constant!r}"
        case ast.AST():
            fields = ((name, _without_docstring(value, name)) for name in value._fields)
            told = (f"{name}={_text(each)}" for name, each in fields if each is not None and each != [])
            return f"{type(value).__name__}({', '.join(told)})"
        case list():
            return f"[{', '.join(map(_text, value))}]"
        case _:
            return repr(value)


def _without_docstring(node: ast.AST, field: str) -> object:
    value = getattr(node, field, None)
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    match value:
        case [ast.Expr(value=ast.Constant(value=str())), *rest] if documented and field == "body":
            return rest
    return value
