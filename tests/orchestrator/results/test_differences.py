from orchestrator.results.differences import differences, flatten


def test_leaves_have_dotted_paths():
    assert list(flatten({"b": {"c": 1}, "a": [1, 2]})) == [("a", [1, 2]), ("b.c", 1)]


def test_an_empty_mapping_is_a_leaf():
    assert list(flatten({"a": {}})) == [("a", {})]


def test_differences_name_the_field_and_both_values():
    first = {"stage": "prune", "params": {"compression": 0.2, "how": "remove"}}
    second = {"stage": "prune", "params": {"compression": 0.4, "how": "remove"}}
    assert differences(first, second) == [("params.compression", "0.2", "0.4")]


def test_a_field_that_is_absent_on_one_side_is_a_difference():
    assert differences({"a": 1}, {"a": 1, "b": None}) == [("b", "-", "null")]


def test_equal_identities_have_no_differences():
    assert differences({"a": {"b": 1}}, {"a": {"b": 1}}) == []
