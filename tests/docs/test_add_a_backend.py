"""The backend of the how-to passes the suite that every backend passes."""

import re
from pathlib import Path

import pytest
from attempts import a_task
from backend_suite import BackendSuite

from orchestrator.store import open_store
from workers.attempt.entry import Provenance
from workers.stages import Product

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-backend.md"


@pytest.fixture(scope="module")
def page():
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(block, names)
    return names


def run(context):
    if context.task.label == "broken":
        raise RuntimeError("it is broken")
    return Product(measurements={})


@pytest.fixture
def backend(page, tmp_path):
    made = page["ThreadsBackend"](open_store(tmp_path), Provenance(), stage_of=lambda stage: run)
    yield made
    made.close()


@pytest.fixture
def task():
    return lambda index: a_task(index=index)


@pytest.fixture
def broken():
    return lambda index: a_task(index=index, label="broken")


class TestThreads(BackendSuite):
    pass


def test_its_line_opens_it(page, tmp_path):
    backend = page["open_threads"](open_store(tmp_path), Provenance(), None)
    assert backend.slots().cpus == 2
    backend.close()
