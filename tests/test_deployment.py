"""What is shipped beside the code: cluster.yaml, deploy/, the sweeps, the reference of the sweep file."""

import json
import shlex
import tomllib
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml
from jsonschema.exceptions import best_match

from jobs.load import load_sweep
from jobs.reference import sweep_reference

REPOSITORY = Path(__file__).parents[1]
KUBERAY_FIELDS = yaml.safe_load((REPOSITORY / "tests" / "support" / "kuberay_fields.yaml").read_text())


@pytest.fixture
def cluster() -> dict:
    return yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())


@pytest.fixture
def workers(cluster) -> dict:
    """The node types of cluster.yaml that run tasks."""
    return {name: kind for name, kind in cluster["available_node_types"].items() if name != cluster["head_node_type"]}


@pytest.fixture
def kuberay() -> dict[str, dict]:
    """What deploy/kuberay.yaml makes, by kind."""
    documents = yaml.safe_load_all((REPOSITORY / "deploy" / "kuberay.yaml").read_text())
    return {document["kind"]: document for document in documents}


@pytest.fixture
def ray_cluster(kuberay) -> dict:
    return kuberay["RayJob"]["spec"]["rayClusterSpec"]


@pytest.fixture
def pods(ray_cluster) -> list[dict]:
    """The pod specs of the head and of both groups of workers."""
    return [group["template"]["spec"] for group in (ray_cluster["headGroupSpec"], *ray_cluster["workerGroupSpecs"])]


@pytest.fixture
def pinned_ray() -> str:
    """The version of Ray that CI runs."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    pins = dict(pin.split("==") for pin in project["tool"]["uv"]["constraint-dependencies"])
    return pins["ray"]


class TestCluster:
    def test_the_cluster_file_fits_rays_own_schema(self, cluster):
        schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
        jsonschema.validate(cluster, schema)

    def test_the_head_runs_no_tasks(self, cluster):
        assert cluster["available_node_types"][cluster["head_node_type"]]["resources"]["CPU"] == 0

    def test_gpu_and_cpu_workers_scale_from_nothing(self, workers):
        assert all(kind["min_workers"] == 0 < kind["max_workers"] for kind in workers.values())
        assert any(kind["resources"].get("GPU") for kind in workers.values())
        assert any("GPU" not in kind["resources"] for kind in workers.values())

    def test_the_cluster_may_grow_to_all_of_its_workers(self, cluster, workers):
        assert cluster["max_workers"] == sum(kind["max_workers"] for kind in workers.values())

    def test_gpu_workers_are_spot_machines(self, workers):
        gpu = next(kind for kind in workers.values() if kind["resources"].get("GPU"))
        assert gpu["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"

    def test_head_and_workers_say_how_they_authenticate(self, cluster):
        for commands in (cluster["head_start_ray_commands"], cluster["worker_start_ray_commands"]):
            assert all("RAY_AUTH_MODE=token" in command for command in commands if "ray start" in command)

    def test_the_autoscaler_reads_the_file_from_which_orchard_learns_the_node_types(self, cluster):
        assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in cluster["head_start_ray_commands"][-1]


class TestKubeRay:
    def test_every_field_is_one_of_kuberays(self, kuberay):
        jsonschema.validate(kuberay["RayJob"], KUBERAY_FIELDS)

    @pytest.mark.parametrize(
        ("old", "new", "complaint"),
        [
            ("enableInTreeAutoscaling", "enableInTreeAutoscaler", "'enableInTreeAutoscaler' was unexpected"),
            ("terminationGracePeriodSeconds", "terminationGracePeriod", "'terminationGracePeriod' was unexpected"),
            ("gpu-spot", "gpu_spot", "'gpu_spot' does not match"),
            ("memory: 28Gi", "memory: 28GiB", "'28GiB' does not match"),
            ("shutdownAfterJobFinishes: true", "shutdownAfterJobFinishes: false", "True was expected"),
            ('num-cpus: "0"', "num-cpus: 0", "0 is not of type 'string'"),
        ],
    )
    def test_a_slip_in_a_field_is_found(self, old, new, complaint):
        text = (REPOSITORY / "deploy" / "kuberay.yaml").read_text()
        assert old in text
        document = next(d for d in yaml.safe_load_all(text.replace(old, new)) if d["kind"] == "RayJob")
        error = best_match(jsonschema.Draft202012Validator(KUBERAY_FIELDS).iter_errors(document))
        assert error is not None
        assert complaint in error.message

    def test_the_groups_of_workers_are_the_node_types_of_the_cluster_file(self, ray_cluster, workers):
        groups = {group["groupName"]: group for group in ray_cluster["workerGroupSpecs"]}
        assert set(groups) == set(workers)
        for name, kind in workers.items():
            group, limits = groups[name], groups[name]["template"]["spec"]["containers"][0]["resources"]["limits"]
            assert (group["minReplicas"], group["maxReplicas"]) == (kind["min_workers"], kind["max_workers"])
            assert int(limits["cpu"]) == kind["resources"]["CPU"]
            assert int(limits.get("nvidia.com/gpu", 0)) == kind["resources"].get("GPU", 0)

    def test_the_autoscaler_is_on_and_as_patient_as_the_cluster_file(self, ray_cluster, cluster):
        assert ray_cluster["enableInTreeAutoscaling"]
        assert ray_cluster["autoscalerOptions"]["idleTimeoutSeconds"] == 60 * cluster["idle_timeout_minutes"]

    def test_the_head_runs_no_tasks(self, ray_cluster):
        assert ray_cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"

    def test_clients_authenticate_by_token(self, ray_cluster):
        assert ray_cluster["authOptions"] == {"mode": "token"}

    def test_a_pod_has_all_that_it_asks_for_and_time_to_drain(self, pods):
        for pod in pods:
            resources = pod["containers"][0]["resources"]
            assert resources["requests"] == resources["limits"]
            assert pod["terminationGracePeriodSeconds"] >= 60
            assert pod["restartPolicy"] == "Never"  # the autoscaler replaces workers, the RayJob replaces the head

    def test_every_pod_may_reach_the_store(self, pods):
        assert all({"secretRef": {"name": "orchard-s3"}} in pod["containers"][0]["envFrom"] for pod in pods)

    def test_ray_is_of_the_version_that_ci_runs(self, ray_cluster, pods, pinned_ray):
        assert ray_cluster["rayVersion"] == pinned_ray
        assert {pod["containers"][0]["image"].rpartition("-ray")[2] for pod in pods} == {pinned_ray}
        image = (REPOSITORY / "deploy" / "Dockerfile").read_text()
        assert f"FROM rayproject/ray:{pinned_ray}-" in image
        assert f"ray[default]=={pinned_ray}" in image

    def test_the_sweep_that_it_runs_is_a_valid_one_on_shared_ground(self, kuberay, tmp_path):
        program, command, path, *overrides = shlex.split(kuberay["RayJob"]["spec"]["entrypoint"])
        assert (program, command, path) == ("orchard", "run", "/etc/orchard/sweep.yaml")
        file = tmp_path / "sweep.yaml"
        file.write_text(kuberay["ConfigMap"]["data"]["sweep.yaml"])
        sweep = load_sweep(str(file), overrides)
        assert sweep.storage.startswith("s3://")
        assert sweep.tracking.startswith("http://")
        assert sweep.device == "cuda"  # a cluster that starts from nothing has no GPU to see yet

    def test_the_sweep_is_mounted_where_the_command_looks(self, kuberay, ray_cluster):
        head = ray_cluster["headGroupSpec"]["template"]["spec"]
        mounts = {mount["name"]: mount["mountPath"] for mount in head["containers"][0]["volumeMounts"]}
        volume = next(v for v in head["volumes"] if mounts[v["name"]] == "/etc/orchard")
        assert volume["configMap"]["name"] == kuberay["ConfigMap"]["metadata"]["name"]


def test_the_reference_of_the_sweep_file_is_up_to_date():
    written = (REPOSITORY / "docs" / "sweep-file.md").read_text()
    assert written == sweep_reference(), "run: .venv/bin/python -m jobs.reference > docs/sweep-file.md"
