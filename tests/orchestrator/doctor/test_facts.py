"""What a cluster saw comes home whole."""

import json
from dataclasses import asdict

from orchestrator.doctor.facts import Cluster, ProbeRequest


def test_a_cluster_survives_the_way_home(machine):
    cluster = Cluster(
        auth_mode=None,
        driver=machine("head"),
        workers=(machine("spot", gpus=1, slot_gpus=1.0, missing=("/data",)), machine("cpu")),
        startable_gpus=64.0,
        tracking_problem="",
        gcs_address="10.0.0.1:6379",
    )
    assert Cluster.from_json(json.loads(json.dumps(cluster.to_json()))) == cluster


def test_a_request_survives_the_way_there():
    request = ProbeRequest(storage="/store", tracking="sqlite:///x.db", gpus=True, locations=("/data", "~/net.pt"))
    assert ProbeRequest.from_json(json.loads(json.dumps(asdict(request)))) == request
