"""The examples of docs/examples as modules, and the code of a how-to page as a package."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def example(request) -> Iterator[ModuleType]:
    """The example that a test module names by its `EXAMPLE`."""
    name = request.module.EXAMPLE
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture
def my_lab(request, monkeypatch, tmp_path) -> Iterator[None]:
    """The code of the page that a test module names by its `PAGE` as the package `my_lab`, in a folder of its own."""
    folder = tmp_path / "code" / "my_lab"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    modules = re.findall(r"```python\n# my_lab/(\w+)\.py\n(.*?)```", request.module.PAGE.read_text(), flags=re.DOTALL)
    for name, code in modules:
        (folder / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(folder.parent)
    yield
    for name in ("my_lab", *(f"my_lab.{name}" for name, _ in modules)):
        sys.modules.pop(name, None)
