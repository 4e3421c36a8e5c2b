"""The user's own code by its syntax trees. Modules are written to a folder and never imported."""

import ast
import itertools

import pytest

from jobs.errors import BadInputError
from jobs.sources import project_modules, read_modules, source_fingerprint

NETS = '''
"""Networks."""
from theirs_{number} import blocks
from . import heads
import torch, json, jobs.errors

def build(width=8):
    """Build it."""
    from theirs_{number}.late import more
    return blocks.make(width)
'''
_numbers = itertools.count()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The folder of a package of a name that no other test has, beside a module that it imports."""
    name = f"theirs_{next(_numbers)}"
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "nets.py").write_text(NETS.format(number=name.removeprefix("theirs_")))
    (folder / "blocks.py").write_text(f"import {name}_helpers\nraise RuntimeError('imported')\n")
    (folder / "heads.py").write_text("import importlib\nimportlib.import_module('.named', __package__)\n")
    for module in ("late", "named", "apart"):
        (folder / f"{module}.py").write_text("x = 1\n")
    (tmp_path / f"{name}_helpers.py").write_text("def help():\n    return 1\n")
    return folder


def fingerprint(project) -> str:
    return source_fingerprint(read_modules(f"{project.name}.nets:build"))


def test_what_a_module_imports_of_its_project_counts_wherever_it_is_imported(project):
    name = project.name
    inner = {f"{name}.{module}" for module in ("nets", "blocks", "heads", "late", "named")}
    assert project_modules(f"{name}.nets:build").keys() == {name, f"{name}_helpers", *inner}


@pytest.mark.parametrize("module", ["__init__", "nets", "blocks", "heads", "late", "named"])
def test_a_change_in_any_of_them_changes_the_fingerprint(project, module):
    before = fingerprint(project)
    file = project / f"{module}.py"
    file.write_text(file.read_text() + "y = 2\n")
    assert fingerprint(project) != before


def test_a_change_in_a_module_beside_the_package_changes_it(project):
    before = fingerprint(project)
    project.with_name(f"{project.name}_helpers.py").write_text("def help():\n    return 2\n")
    assert fingerprint(project) != before


def test_what_is_not_imported_does_not_count(project):
    before = fingerprint(project)
    (project / "apart.py").write_text("x = 2\n")
    assert fingerprint(project) == before


def test_comments_docstrings_and_formatting_do_not_count(project):
    before = fingerprint(project)
    file = project / "nets.py"
    text = file.read_text().replace('"""Networks."""', "# Networks.").replace("    ", "  ").replace("Build it", "Do")
    file.write_text(text + "\n\n# the end\n")
    assert fingerprint(project) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = '1'", "x = b'1'"),
        ("x = {**a}", "x = {None: a}"),
        ("def f(*, a, b=1): pass", "def f(*, a=1, b): pass"),
        ("x = 1\n'text'", "x = 1"),
        ("async def f(): pass", "def f(): pass"),
    ],
)
def test_whatever_runs_otherwise_counts(project, one, other):
    found = set()
    for text in (one, other):
        assert ast.parse(text)
        (project / "late.py").write_text(text)
        found.add(fingerprint(project))
    assert len(found) == 2


@pytest.mark.parametrize("text", ["print 'old'", "x = " + "1 + " * 2000 + "1"])
def test_a_file_without_a_tree_that_can_be_told_counts_by_its_bytes(project, text):
    (project / "late.py").write_text(text)
    before = fingerprint(project)
    (project / "late.py").write_text(text + " # new")
    assert fingerprint(project) != before


def test_an_added_module_that_an_import_had_missed_counts(project):
    (project / "late.py").write_text("try:\n    from . import fast\nexcept ImportError:\n    fast = None\n")
    before = fingerprint(project)
    (project / "fast.py").write_text("")
    assert fingerprint(project) != before


def test_of_an_installed_package_its_own_modules_count(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    for name in ("installed_one", "installed_other"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("import installed_other\nfrom . import part\n")
        (site / name / "part.py").write_text("")
    monkeypatch.syspath_prepend(str(site))
    assert project_modules("installed_one:net").keys() == {"installed_one", "installed_one.part"}


def test_modules_that_import_each_other_end(tmp_path, monkeypatch):
    (tmp_path / "there_a.py").write_text("import there_b")
    (tmp_path / "there_b.py").write_text("import there_a")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert project_modules("there_b:x").keys() == {"there_a", "there_b"}


@pytest.mark.parametrize("path", ["jobs.no_such_module:build", "no_such_package:build", ":build"])
def test_a_missing_module_is_bad_input(path):
    with pytest.raises(BadInputError, match="no module"):
        read_modules(path)
