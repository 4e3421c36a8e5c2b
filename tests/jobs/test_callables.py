"""Callables that a sweep file names, looked for in sources that are never imported."""

import itertools

import pytest

from jobs.callables import check_callable
from jobs.errors import BadInputError

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of a name that no other test has; gives that name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source: str) -> str:
        name = f"their_net_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('imported')\n{source}")
        return name

    return write


@pytest.mark.parametrize(
    "source",
    [
        "def make_net(width=8): ...",
        "class make_net: ...",
        "from elsewhere import build as make_net",
        "from functools import partial\nmake_net = partial(print)",
        "if True:\n    make_net = other = print",
        "for make_net in (print,): ...",
        "def set_up():\n    global make_net\n    make_net = print",
        "make_net = None\nmake_net = print",
        "from elsewhere import *",
        "def __getattr__(name): ...",
        "globals()['make_net'] = print",
    ],
)
def test_what_a_module_may_have_is_let_through(module, source):
    check_callable(f"{module(source)}:make_net")


def test_a_misspelt_name_comes_with_the_nearest_callable(module):
    name = module("def make_net(): ...\nmake_nets = 3\n")
    with pytest.raises(BadInputError, match=rf"nothing in {name}\.py is called 'make_nett'; did you mean 'make_net'\?"):
        check_callable(f"{name}:make_nett")


def test_a_name_within_a_function_is_none_of_the_module(module):
    with pytest.raises(BadInputError, match="known: outer"):
        check_callable(f"{module('def outer():' + chr(10) + '    def inner(): ...')}:inner")


def test_data_is_no_callable(module):
    with pytest.raises(BadInputError, match="'WIDTHS' is no callable; name a function or class"):
        check_callable(f"{module('WIDTHS = [8, 16]')}:WIDTHS")


def test_of_a_dotted_callable_the_first_name_is_looked_for(module):
    check_callable(f"{module('class Net: ...')}:Net.small")


def test_a_module_that_cannot_be_parsed_says_where(module):
    with pytest.raises(BadInputError, match=r"line 2: .*; correct the module"):
        check_callable(f"{module('def make_net(:')}:make_net")


def test_a_compiled_module_is_let_through():
    check_callable("numpy._core._multiarray_umath:no_such")
