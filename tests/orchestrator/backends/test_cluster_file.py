from pathlib import Path

import pytest

from jobs.errors import BadInputError
from orchestrator.backends.cluster_file import read_kinds

REPOSITORY = Path(__file__).parents[3]


def test_the_nodes_of_our_cluster_file_are_those_that_run_tasks():
    kinds = {kind.name: (kind.cpus, kind.gpus, kind.count) for kind in read_kinds(REPOSITORY / "cluster.yaml")}
    assert kinds == {"gpu-spot": (8, 1, 64), "cpu-ordering": (32, 0, 8)}  # not the head


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "available_node_types: {x: 3}"])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(BadInputError, match=r"x\.yaml: is no cluster file"):
        read_kinds(tmp_path / "x.yaml")
