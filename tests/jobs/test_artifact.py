import json

from jobs.artifact import FileEntry, Manifest

MANIFEST = Manifest(
    key="ab",
    stage="prune",
    identity={"stage": "prune", "params": {"procedure": {"network": "cd"}}},
    inputs={"procedure.network": "cd"},
    measurements={"params": 3},
    files={"a": FileEntry(sha256="0", size_bytes=1)},
)


def test_a_manifest_comes_back_from_json():
    assert Manifest.from_json(json.loads(json.dumps(MANIFEST.to_json()))) == MANIFEST


def test_one_of_version_0_1_has_its_inputs_in_the_identity():
    value = {name: each for name, each in MANIFEST.to_json().items() if name != "inputs"}
    assert Manifest.from_json(value).inputs == {}
    identity = {"stage": "prune", "params": {"how": "remove"}, "inputs": {"network": "cd", "scores": "ef"}}
    assert Manifest.from_json({**value, "identity": identity}).inputs == {"network": "cd", "scores": "ef"}


def test_results_are_the_same_by_what_was_measured_and_by_the_files():
    assert MANIFEST.same_result(Manifest.from_json({**MANIFEST.to_json(), "duration_s": 9.0}))
    assert not MANIFEST.same_result(Manifest.from_json({**MANIFEST.to_json(), "measurements": {"params": 4}}))
