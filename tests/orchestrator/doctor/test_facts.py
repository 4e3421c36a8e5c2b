"""What a cluster saw comes home whole."""

import json

from orchestrator.doctor.facts import Cluster


def test_a_cluster_survives_the_way_home(machine):
    cluster = Cluster(
        auth_mode=None,
        driver=machine("head"),
        workers=(machine("spot", gpus=1, slot_gpus=1.0), machine("cpu")),
        startable_gpus=64.0,
        tracking_problem="",
    )
    assert Cluster.from_json(json.loads(json.dumps(cluster.to_json()))) == cluster
