import pytest

from jobs.resources import Resources


@pytest.mark.parametrize(
    ("asked", "several"),
    [
        (Resources(num_cpus=2.0, num_gpus=0.5, memory_bytes=8), {}),
        (Resources(processes=4, num_gpus=4.0), {"processes": 4}),
        (Resources(processes=4, nodes=2), {"processes": 4, "nodes": 2}),
    ],
)
def test_as_json_it_names_processes_and_machines_where_there_are_several(asked, several):
    written = asked.to_json()
    assert {name: written[name] for name in written if name in ("processes", "nodes")} == several
    assert Resources.from_json(written) == asked


def test_a_request_of_a_later_version_is_read_as_far_as_it_is_known():
    asked = Resources(num_cpus=2, num_gpus=0.5)
    assert Resources.from_json({**asked.to_json(), "later": 1}) == asked
