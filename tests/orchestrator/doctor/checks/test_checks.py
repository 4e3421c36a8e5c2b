"""Judgements: facts in, a verdict and a remedy out."""

import pytest

from orchestrator.doctor import Verdict
from orchestrator.doctor.checks import authentication, clocks, gpus, locations, storage, tracking, upload, versions
from orchestrator.doctor.facts import NamedFile, Upload

MIB, GIB = 2**20, 2**30


class TestAuthentication:
    def test_the_same_mode_on_both_sides_is_well(self):
        assert authentication.judge("token", "token").verdict is Verdict.OK

    @pytest.mark.parametrize("there", ["token", None])
    def test_a_mode_that_is_not_set_is_left_to_chance(self, there):
        finding = authentication.judge(None, there)
        assert finding.verdict is Verdict.WARN
        assert "export RAY_AUTH_MODE" in finding.remedy
        assert authentication.judge_alone(None).verdict is Verdict.WARN

    def test_different_modes_are_both_named(self):
        finding = authentication.judge("token", "disabled")
        assert finding.verdict is Verdict.WARN
        assert "token here and disabled in the cluster" in finding.found

    def test_a_cluster_that_refuses_fails_and_the_remedy_is_the_token(self):
        finding = authentication.refused("disabled", "Authentication required")
        assert finding.verdict is Verdict.FAIL
        assert "RAY_AUTH_TOKEN" in finding.remedy

    @pytest.mark.parametrize(
        ("mode", "address", "verdict"),
        [
            ("token", "10.0.0.1:6379", Verdict.OK),
            ("disabled", "10.0.0.1:6379", Verdict.WARN),
            (None, "10.0.0.1:6379", Verdict.WARN),  # then Ray's heads ask for nothing
            ("disabled", "127.0.0.1:6379", Verdict.OK),
            ("disabled", "[::1]:6379", Verdict.OK),
        ],
    )
    def test_a_head_that_others_reach_wants_a_token(self, mode, address, verdict):
        assert authentication.judge_reach(mode, address).verdict is verdict


class TestUpload:
    @staticmethod
    def judged(sizes=None, **named):
        files = (NamedFile(**{"where": "models.net.weights", "written": "w/net.pt", **named}),) if named else ()
        return list(upload.judge(Upload(folder=".", sizes=sizes or {}, named=files)))

    def test_less_than_rays_limit_is_well(self):
        (finding,) = self.judged({"sweep.yaml": 1000})
        assert finding.verdict is Verdict.OK

    def test_a_hundred_mib_are_refused_and_the_largest_files_named(self):
        (finding,) = self.judged({"small.py": 10, "images.npy": 100 * MIB})
        assert finding.verdict is Verdict.FAIL
        assert "largest: images.npy (100.0 MiB), small.py" in finding.found

    def test_nearly_as_much_is_worth_a_word(self):
        (finding,) = self.judged({"images.npy": 90 * MIB})
        assert finding.verdict is Verdict.WARN

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            ({"num_here": 1}, "models.net.weights: w/net.pt is left out of the upload, as weights are"),
            ({"num_here": 9, "num_sent": 7}, "2 of the 9 files in w/net.pt are left out"),
            ({}, "w/net.pt is not below ., and a job has nothing else of this machine"),
            ({"where": "storage", "num_here": 1, "num_sent": 1}, "which goes away with the job"),
        ],
    )
    def test_what_a_job_would_not_have_fails(self, named, said):
        _, finding = self.judged(is_relative=True, **named)
        assert finding.verdict is Verdict.FAIL
        assert said in finding.found
        assert "s3://BUCKET/PATH" in finding.remedy

    def test_what_is_sent_or_not_relative_is_well(self):
        assert len(self.judged(is_relative=True, num_here=3, num_sent=3)) == 1
        assert len(self.judged(is_relative=False)) == 1


class TestLocations:
    def test_a_machine_that_does_not_see_the_data_is_named(self, machine):
        finding = locations.judge(["/data"], [machine("head"), machine("worker", missing=("/data",))])
        assert finding.verdict is Verdict.FAIL
        assert "/data is not there, or cannot be read, on worker" in finding.found

    def test_what_all_see_is_well_and_without_paths_nothing_is_said(self, machine):
        assert locations.judge(["/data"], [machine("head")]).verdict is Verdict.OK
        assert locations.judge([], [machine("head")]) is None


class TestTracking:
    def test_a_host_name_that_the_server_refuses_has_a_remedy_of_its_own(self):
        finding = tracking.judge("http://mlflow:5000", "API request failed with error code 403", on_cluster=True)
        assert finding.verdict is Verdict.WARN
        assert "--allowed-hosts" in finding.remedy

    def test_a_server_that_is_away_stops_no_sweep(self):
        finding = tracking.judge("http://mlflow:5000", "connection refused", on_cluster=True)
        assert finding.verdict is Verdict.WARN
        assert "orchard sync" in finding.remedy

    def test_a_database_file_on_a_clusters_head_is_lost_with_it(self):
        assert tracking.judge("sqlite:///~/mlflow.db", "", on_cluster=True).verdict is Verdict.WARN
        assert tracking.judge("sqlite:///~/mlflow.db", "", on_cluster=False).verdict is Verdict.OK


class TestStorage:
    def test_one_machine_that_cannot_write_is_enough(self, machine):
        unable = machine("worker", storage_problem="PermissionError: denied")
        finding = storage.judge("/store", [machine("head"), unable, machine("other")], on_cluster=True)
        assert finding.verdict is Verdict.FAIL
        assert "worker: PermissionError: denied" in finding.found

    def test_all_machines_that_wrote_are_named(self, machine):
        finding = storage.judge("/store", [machine("head"), machine("worker")], on_cluster=True)
        assert finding.verdict is Verdict.OK
        assert "head, worker" in finding.found

    @pytest.mark.parametrize(
        ("free_bytes", "verdict"), [(GIB // 2, Verdict.FAIL), (5 * GIB, Verdict.WARN), (10 * GIB, Verdict.OK)]
    )
    def test_the_fullest_disk_decides(self, machine, free_bytes, verdict):
        finding = storage.judge_space([machine("roomy"), machine("full", free_bytes=free_bytes)])
        assert finding.verdict is verdict
        assert "on full" in finding.found

    def test_an_object_store_has_no_disk_to_fill(self, machine):
        assert storage.judge_space([machine(free_bytes=None)]) is None


class TestGpus:
    def test_a_gpu_that_ray_hands_out_and_torch_does_not_see_fails(self, machine):
        blind = machine("spot", slot_gpus=1.0, gpus=0, gpu_problem="driver too old")
        finding = gpus.judge("cuda", [blind], 1.0)
        assert finding.verdict is Verdict.FAIL
        assert "spot, where torch sees none: driver too old" in finding.found

    def test_cuda_without_any_gpu_fails(self, machine):
        assert gpus.judge("cuda", [machine()], 0.0).verdict is Verdict.FAIL

    def test_cuda_waits_for_nodes_that_could_be_started(self):
        assert gpus.judge("cuda", [], 64.0).verdict is Verdict.WARN

    def test_auto_does_not_see_nodes_that_are_not_up(self, machine):
        finding = gpus.judge("auto", [machine()], 64.0)
        assert finding.verdict is Verdict.WARN
        assert "device: cuda" in finding.found

    def test_gpus_that_torch_sees_are_well(self, machine):
        assert gpus.judge("cuda", [machine(slot_gpus=2.0, gpus=2)], 2.0).verdict is Verdict.OK

    def test_a_sweep_on_cpus_needs_none(self):
        assert gpus.judge("cpu", [], 0.0).verdict is Verdict.OK


class TestVersions:
    def test_a_worker_that_differs_from_the_driver_fails(self, machine):
        worker = machine("worker", versions={**machine().versions, "torch": "2.14.0"})
        finding = versions.judge(machine("laptop"), [machine("driver"), worker])
        assert finding.verdict is Verdict.FAIL
        assert finding.found == "torch is 2.15.0 on driver and 2.14.0 on worker"

    def test_a_laptop_that_only_submits_may_differ(self, machine):
        laptop = machine("laptop", versions={**machine().versions, "python": "3.13.1"})
        assert versions.judge(laptop, [machine("driver"), machine("worker")]).verdict is Verdict.WARN

    def test_a_worker_that_said_nothing_has_no_versions_to_compare(self, machine):
        assert versions.judge(machine(), [machine("driver"), machine("worker", versions={})]).verdict is Verdict.OK

    def test_what_is_missing_here_is_named(self, machine):
        here = machine(versions={**machine().versions, "orchard": "not installed"})
        finding = versions.judge(here, [])
        assert finding.verdict is Verdict.FAIL
        assert "orchard" in finding.found


class TestClocks:
    @pytest.mark.parametrize(
        ("skew_s", "error_s", "verdict"),
        [
            (1.0, 0.1, Verdict.OK),
            (8.0, 4.0, Verdict.OK),  # it may be 4 s only: asking took that long
            (-60.0, 1.0, Verdict.WARN),
            (1000.0, 1.0, Verdict.FAIL),
        ],
    )
    def test_a_clock_is_off_by_what_is_sure(self, machine, skew_s, error_s, verdict):
        finding = clocks.judge([machine(), machine("off", clock_skew_s=skew_s, clock_error_s=error_s)])
        assert finding.verdict is verdict

    def test_one_clock_agrees_with_itself(self):
        assert clocks.judge([]) is None
