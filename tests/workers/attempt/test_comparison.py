import json

import pytest
import torch
from safetensors.torch import save

from jobs.artifact import Manifest
from workers.attempt.comparison import compare

HERE = {"cpu": "AMD EPYC (25/17)", "instructions": "AVX512", "threads": "1"}
WEIGHTS = {"small": torch.tensor([1e-3, 2e-3]), "large": torch.tensor([[4.0, 1.0]])}


def manifest(processor=HERE, versions=None, commit="", **measurements):
    return Manifest(
        key="ab",
        stage="tune",
        identity={},
        measurements=measurements,
        versions=versions or {},
        processor=processor,
        git_commit=commit,
    )


def of_files(first, second):
    return compare(manifest(), first, manifest(), second)


def of_weights(**changed):
    return of_files({"w.safetensors": save(WEIGHTS)}, {"w.safetensors": save({**WEIGHTS, **changed})})


def told(comparison):
    return [(each.name, each.place, each.relative) for each in comparison.deviations]


def test_measurements_are_apart_by_the_one_that_is_furthest():
    # 0.02 of 0.5; 1 of 1000 is less.
    found = compare(manifest(loss=0.5, params=1000), {}, manifest(loss=0.48, params=999), {})
    assert told(found) == [("measurements", "loss", pytest.approx(0.04))]


def test_numbers_are_found_wherever_they_are():
    found = compare(manifest(last={"losses": [1.0, 2.0]}), {}, manifest(last={"losses": (1.0, 2.5)}), {})
    assert told(found) == [("measurements", "last.losses.1", pytest.approx(0.2))]


def test_a_tensor_is_apart_in_proportion_to_its_largest_value():
    # The largest value is 4. That 1 became 1.5 says a half of that element, an eighth of the tensor.
    assert told(of_weights(large=torch.tensor([[4.0, 1.5]]))) == [("w.safetensors", "large", pytest.approx(1 / 8))]


def test_of_two_tensors_the_one_that_is_further_apart_is_named():
    found = of_weights(small=torch.tensor([1e-3, 4e-3]), large=torch.tensor([[4.0, 1.5]]))
    assert told(found) == [("w.safetensors", "small", pytest.approx(0.5))]


@pytest.mark.parametrize("other", [torch.zeros(3), torch.zeros(2, dtype=torch.float64)], ids=["shape", "type"])
def test_another_shape_or_type_is_no_matter_of_amount(other):
    assert told(of_weights(small=other)) == [("w.safetensors", "small", None)]


def test_a_tensor_that_one_of_them_lacks_is_no_matter_of_amount():
    assert told(of_weights(third=torch.zeros(1))) == [("w.safetensors", "third", None)]


def test_a_nan_that_both_have_is_the_same_and_one_that_one_has_is_far():
    nan = torch.tensor([1.0, float("nan")])
    assert told(of_files({"a.safetensors": save({"x": nan})}, {"a.safetensors": save({"x": nan + 1})}))[0][2] == 0.5
    assert told(of_weights(small=nan))[0][2] == float("inf")


def test_json_files_are_compared_by_their_numbers():
    files = [{"a.json": json.dumps({"order": [0, 1], "length": length}).encode()} for length in (8.0, 6.0)]
    assert told(of_files(*files)) == [("a.json", "length", 0.25)]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("a.txt", b"x", b"y"), ("a.json", b"{", b"{}"), ("a.safetensors", b"x", b"y"), ("a.json", b"1", b" 1")],
)
def test_what_is_not_in_numbers_is_no_matter_of_amount(name, first, second):
    (found,) = told(of_files({name: first}, {name: second}))
    assert (found[0], found[2]) == (name, None)


def test_a_file_that_one_of_them_lacks_is_named():
    assert told(of_files({"a": b"", "same": b"1"}, {"same": b"1"})) == [("a", "", None)]


def test_on_another_processor_rounding_explains_it():
    found = compare(manifest(loss=1.0), {}, manifest({**HERE, "cpu": "Intel Xeon (6/143)"}, loss=1 + 1e-7), {})
    assert not found.nondeterministic
    assert found.surroundings == {"cpu": ("AMD EPYC (25/17)", "Intel Xeon (6/143)")}
    text = str(found)
    assert "measurements by 1e-07 (loss)" in text
    assert "another cpu (AMD EPYC (25/17) | Intel Xeon (6/143)): rounding differs there" in text


@pytest.mark.parametrize(
    "other",
    [
        {"processor": {**HERE, "threads": "2"}},
        {"processor": {**HERE, "ATEN_CPU_CAPABILITY": "default"}},
        {"processor": {}},
        {"versions": {"numpy": "2"}},
        {"commit": "abc"},
    ],
    ids=["threads", "override", "unknown", "versions", "commit"],
)
def test_whatever_else_was_different_may_explain_it(other):
    assert not compare(manifest(loss=1.0), {}, manifest(**other, loss=2.0), {}).nondeterministic


def test_with_all_alike_the_stage_does_not_repeat():
    found = compare(manifest(loss=1.0), {}, manifest(loss=1 + 1e-7), {})
    assert found.nondeterministic
    assert "the stage is not deterministic" in str(found)
