import pytest

from jobs.resources import Resources
from orchestrator.backends.base import NodeKind
from orchestrator.backends.ray_cluster import nodes as ray_nodes
from orchestrator.backends.ray_cluster.nodes import Nodes, node_kinds
from orchestrator.scheduling.feasibility import fits

GPU_NODE = {"CPU": 8.0, "GPU": 2.0, "memory": 1000.0}


def described(number, resources, labels=None, alive=True):
    return {
        "NodeID": f"n{number}",
        "NodeManagerHostname": f"host{number}",
        "Alive": alive,
        "Resources": resources,
        "Labels": labels or {},
    }


@pytest.fixture
def nodes(monkeypatch):
    """The machines that Ray describes, as the backend sees them."""

    def describe(*descriptions):
        monkeypatch.setattr(ray_nodes.ray, "nodes", lambda: list(descriptions))
        monkeypatch.setattr(ray_nodes, "_reported", lambda: ())
        monkeypatch.setattr(ray_nodes, "_autoscaler_file", lambda: None)
        return Nodes()

    return describe


def test_slots_are_counted_per_machine_and_by_what_is_scarcest(nodes):
    there = nodes(described(1, GPU_NODE), described(2, {"CPU": 3.0}), described(3, {"CPU": 64.0}, alive=False))
    assert there.slots_for(Resources()) == 11
    assert there.slots_for(Resources(num_cpus=2.0)) == 5
    assert there.slots_for(Resources(num_gpus=0.5)) == 4
    assert there.slots_for(Resources(memory_bytes=400)) == 2
    assert there.slots_for(Resources(num_cpus=2.0, nodes=2)) == 3  # the second machine has room for three shares
    assert there.slots_for(Resources(num_gpus=2.0, nodes=2)) == 0


def test_a_node_has_a_host_from_the_first_question_on(nodes):
    there = nodes(described(1, GPU_NODE))
    assert (there.host_of("n1"), there.host_of("another"), there.host_of("")) == ("host1", "", "")


def test_a_node_that_is_lost_has_the_host_that_it_had_when_last_looked(nodes, monkeypatch):
    there = nodes(described(1, GPU_NODE))
    there.alive()
    monkeypatch.setattr(ray_nodes.ray, "nodes", lambda: [described(1, GPU_NODE, alive=False)])
    assert there.host_of("n1") == "host1"


def test_nodes_to_avoid_are_avoided_while_another_fits(nodes):
    there = nodes(described(1, GPU_NODE), described(2, {"CPU": 3.0}))
    assert there.to_avoid(Resources(), frozenset({"n1", "gone"})) == {"n1"}
    assert there.to_avoid(Resources(num_gpus=1.0), frozenset({"n1"})) == frozenset()
    assert there.to_avoid(Resources(), frozenset({"n1", "n2"})) == frozenset()


def test_who_avoids_nodes_waits_in_vain_only_where_it_fits_no_other(nodes):
    there = nodes(described(1, GPU_NODE), described(2, {"CPU": 3.0}))
    assert there.starves(Resources(), frozenset({"n1", "n2", "gone"}))
    assert there.starves(Resources(num_gpus=1.0), frozenset({"n1"}))
    assert not there.starves(Resources(), frozenset({"n1"}))
    assert not there.starves(Resources(), frozenset({"gone"}))
    assert not there.starves(Resources(num_gpus=3.0), frozenset({"n1", "n2"}))  # nor does it fit these


def test_nodes_are_read_again_on_demand_where_the_head_answers(nodes, monkeypatch):
    answers = [True, False]
    nodes()
    there = Nodes(lambda: answers.pop(0))
    assert there.alive() == {}
    monkeypatch.setattr(ray_nodes.ray, "nodes", lambda: [described(1, GPU_NODE)])
    assert not there.refresh()
    answers.append(True)
    assert there.refresh()
    assert there.alive().keys() == {"n1"}


def test_kinds_are_what_is_there_grouped_whatever_memory_ray_measured(nodes):
    label = {"ray.io/node-group": "gpu"}
    there = nodes(described(1, GPU_NODE, label), described(2, {**GPU_NODE, "memory": 1001.0}, label))
    (kind,) = node_kinds(there.alive())
    assert (kind.name, kind.cpus, kind.gpus, kind.memory_bytes, kind.count) == ("gpu", 8.0, 2.0, 1001, 2)


def test_kinds_that_an_autoscaler_could_start_count_too(nodes, monkeypatch, tmp_path):
    config = tmp_path / "cluster.yaml"
    config.write_text(
        "max_workers: 3\n"
        "available_node_types:\n"
        "  head: {resources: {CPU: 2}, max_workers: 0}\n"
        "  gpu: {resources: {CPU: 8, GPU: 1, memory: 64}, max_workers: 5}\n"
        "  measured-by-the-cloud: {max_workers: 1}\n"
    )
    there = nodes(described(1, {"CPU": 2.0})).alive()
    monkeypatch.setattr(ray_nodes, "_autoscaler_file", lambda: config)
    here, gpu, unmeasured = node_kinds(there)
    assert (here.name, here.count) == ("host1", 1)
    assert (gpu.name, gpu.cpus, gpu.gpus, gpu.memory_bytes, gpu.count) == ("gpu", 8.0, 1.0, 64, 3)
    assert (unmeasured.name, unmeasured.count) == ("measured-by-the-cloud", 0)
    assert fits(Resources(num_cpus=96.0, num_gpus=8.0, memory_bytes=1 << 40), unmeasured)


def test_on_kubernetes_anything_may_come(nodes, monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_KUBERAY_IN_USE", "1")
    assert fits(Resources(num_gpus=8.0), node_kinds(nodes(described(1, {"CPU": 2.0})).alive())[-1])


def test_while_the_head_does_not_answer_what_was_known_counts(monkeypatch):
    now, answers = [100.0], [True]
    monkeypatch.setattr(ray_nodes.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(ray_nodes.ray, "nodes", lambda: [described(1, GPU_NODE)])
    there = Nodes(lambda: answers[0])
    assert there.slots_for(Resources()) == 8
    monkeypatch.setattr(ray_nodes.ray, "nodes", lambda: pytest.fail("Ray would hang"))
    now[0], answers[0] = 200.0, False
    assert there.slots_for(Resources()) == 8


def test_what_could_be_started_has_the_memory_of_its_like_where_it_names_none(nodes, monkeypatch):
    alive = nodes(described(1, GPU_NODE)).alive()
    monkeypatch.setattr(ray_nodes, "_reported", lambda: [NodeKind(name="gpu", cpus=8.0, gpus=2.0, count=4)])
    (kind,) = node_kinds(alive)
    assert (kind.memory_bytes, kind.count) == (1000, 4)
