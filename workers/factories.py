"""Resolves names of the sweep file: a built-in by its name, or the user's own as `package.module:callable`.

Used for networks, data sets, criteria and observations alike. The caller checks what a factory returns.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from jobs.errors import BadInputError, UnfitMachineError, nearest
from jobs.imports import import_problem

Factory = Callable[..., Any]
_Declared = TypeVar("_Declared")


def import_factory(name: str, *, where: str, gives: type | None = None) -> Factory:
    """Find the callable that `package.module:callable` names, and check before it is called that it may give the kind.

    Args:
        name: For example `my_lab.networks:wide_resnet`; the part after the colon may be dotted.
        where: Prefix of an error message, for example `network 'my_lab.networks:wide_resnet'`.
        gives: What it has to return; None where it is not called.

    Raises:
        BadInputError: The name is malformed, the module is not allowed, it has no such attribute, or the attribute
            cannot be called, or cannot give what it has to. An error inside the module itself is passed on.
        UnfitMachineError: There is no such module on this machine.
    """
    module_name, _, attributes = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), *attributes.split(".")]):
        raise BadInputError(f"{where}: not of the form 'package.module:callable'")
    if problem := import_problem(module_name):
        raise BadInputError(f"{where}: {problem}")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise
        raise UnfitMachineError(
            f"{where}: no module named '{error.name}' here; install it where the workers run, "
            "or put its folder on their PYTHONPATH"
        ) from error
    except SystemExit as error:
        raise BadInputError(
            f"{where}: {module_name} ends Python as it is imported (sys.exit); let what is a script's run under "
            "`if __name__ == '__main__':` only"
        ) from error
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            known = [known for known, value in vars(found).items() if callable(value) and not known.startswith("_")]
            raise BadInputError(f"{where}: nothing there is called '{attribute}'; {nearest(attribute, known)}")
        found = getattr(found, attribute)
    if not callable(found):
        raise BadInputError(
            f"{where}: is of type {type(found).__name__}; a callable is needed: name a function or class"
        )
    if gives is not None:
        _check_gives(found, gives, where)
    factory: Factory = found
    return factory


def _check_gives(found: Factory, kind: type, where: str) -> None:
    """Refuse to call what cannot give a kind, as far as that can be told: calling it may do anything."""
    wanted = f"{kind.__module__.removesuffix('.module').removesuffix('.modules')}.{kind.__name__}"
    if (source := _standard_module(found)) is not None:
        raise BadInputError(f"{where}: is of Python's standard library ({source}); nothing there gives {wanted}")
    if inspect.isclass(found):
        if not issubclass(found, kind):
            raise BadInputError(
                f"{where}: is a class, and no {wanted}; name one that is, or a function that returns one"
            )
        return
    try:
        returned = get_type_hints(found).get("return")
    except Exception:  # annotations that cannot be evaluated say nothing
        return
    if isinstance(returned, type) and not (issubclass(returned, kind) or issubclass(kind, returned)):
        raise BadInputError(f"{where}: returns {returned.__name__} by its annotation; it must return {wanted}")


def _standard_module(found: Factory) -> str | None:
    """The module of Python's standard library that a function or class is from; None for others."""
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        return None
    source = str(getattr(found, "__module__", None) or "")
    if source.partition(".")[0] not in sys.stdlib_module_names:
        return None
    file = getattr(sys.modules.get(source), "__file__", None)  # a user's module may have the name of a standard one
    return source if file is None or file.startswith(os.path.dirname(os.__file__)) else None


@contextmanager
def running(what: str) -> Iterator[None]:
    """Whatever the user's own code raises in here says where that was.

    Args:
        what: For the message: `in sample 3 of train`.
    """
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def find_declared(
    name: str, ours: Mapping[str, _Declared], kind: type[_Declared], *, where: str, declare: str
) -> _Declared:
    """A built-in, or one of the user's own that a decorator declared to be of a kind.

    Args:
        name: A name from `ours`, or `package.module:callable`.
        ours: The built-ins by name.
        kind: The class that the decorator makes.
        where: Prefix of an error message.
        declare: The decorator, as the user would write it.

    Raises:
        BadInputError: The name is unknown, or what it names is not of that kind.
    """
    if ":" in name:
        found = import_factory(name, where=where)
        if not isinstance(found, kind):
            raise BadInputError(f"{where}: is no {kind.__name__.lower()}; put {declare} above the function")
        return found
    if name not in ours:
        raise BadInputError(f"{where}: unknown; {nearest(name, ours)}")
    return ours[name]


def check_arguments(factory: Factory, arguments: Mapping[str, Any], *, num_positional: int = 0, where: str) -> None:
    """Compare arguments with a factory's signature before it is called.

    Args:
        factory: A callable. One whose signature cannot be read passes.
        arguments: The keyword arguments.
        num_positional: Number of leading parameters that the caller passes itself.
        where: Prefix of an error message.

    Raises:
        BadInputError: Unknown or missing arguments, all of them at once, or no parameters for what the caller passes.
    """
    try:
        every = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return
    filled, parameters = {each.name for each in every[:num_positional]}, every[num_positional:]
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    allowed = {each.name for each in named}
    problems = [
        f"argument '{each.name}' is missing"
        for each in named
        if each.default is each.empty and each.name not in arguments
    ]
    by_position = [each for each in every if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len(by_position) < num_positional and not any(each.kind is each.VAR_POSITIONAL for each in every):
        problems.append(
            f"arguments by position are {num_positional}, and it takes {len(by_position)} (a data set's is called with "
            "data.root); add a first parameter for that, such as `root`"
        )
    if not any(each.kind is each.VAR_KEYWORD for each in parameters):
        problems += [
            f"argument '{name}' is the name of a first parameter, which is filled already (a data set's with its "
            "`root`); put a parameter for that before it"
            if name in filled
            else f"argument '{name}' is not accepted; {nearest(name, allowed)}"
            for name in arguments
            if name not in allowed
        ]
    if problems:
        raise BadInputError("\n  ".join([f"{where}:", *problems]) if len(problems) > 1 else f"{where}: {problems[0]}")


_PLAIN = {bool, int, str, NoneType}


def check_types(factory: Factory, arguments: Mapping[str, Any], *, where: str) -> None:
    """Compare arguments with the annotations of one of our factories, where these are plain types such as `int | None`.

    Args:
        factory: A callable.
        arguments: The keyword arguments, which it accepts.
        where: Prefix of an error message.

    Raises:
        BadInputError: One of them is of another type.
    """
    annotations = get_type_hints(factory)
    for name, value in arguments.items():
        annotation = annotations.get(name)
        types = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
        if _PLAIN.issuperset(types) and not isinstance(value, types):
            wanted = " or ".join(each.__name__ for each in types if each is not NoneType)
            raise BadInputError(
                f"{where}: argument '{name}' is {value!r}, of type {type(value).__name__}; {wanted} is needed"
            )
