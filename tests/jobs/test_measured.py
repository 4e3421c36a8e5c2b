import pytest

from jobs.measured import count, counts, number, records, text, texts

MEASURED = {
    "loss": 0.5,
    "params": 3,
    "note": "",
    "test_sets": ["set5", "b100"],
    "exported": True,
    "groups": [{"name": "a", "width": 8}],
    "widths": {"b": 2, "a": 1},
    "full_widths": [["b", 4], ["a", 2]],
}


def test_values_are_read_as_what_they_are():
    assert number(MEASURED, "loss") == 0.5
    assert number(MEASURED, "params") == 3
    assert count(MEASURED, "params") == 3
    assert text(MEASURED, "note") == ""
    assert records(MEASURED, "groups") == [{"name": "a", "width": 8}]
    assert (texts(MEASURED, "test_sets"), texts(MEASURED, "others")) == (("set5", "b100"), ())


@pytest.mark.parametrize("name", ["widths", "full_widths"])
def test_numbers_by_name_keep_their_order_however_they_are_written(name):
    assert list(counts(MEASURED, name)) == ["b", "a"]


def test_what_was_not_measured_is_the_default_if_there_is_one():
    assert (number(MEASURED, "macs", 0), text(MEASURED, "reason", "none")) == (0, "none")
    assert (records(MEASURED, "refused"), counts(MEASURED, "weights")) == ([], {})
    for read in (number, count, text):
        with pytest.raises(KeyError):
            read(MEASURED, "macs")


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (number, "note"),
        (number, "exported"),
        (count, "loss"),
        (count, "exported"),
        (text, "params"),
        (records, "note"),
        (records, "full_widths"),
        (counts, "groups"),
        (counts, "note"),
        (texts, "note"),
        (texts, "groups"),
    ],
)
def test_what_is_something_else_is_refused_by_its_name(read, name):
    with pytest.raises(TypeError, match=f"{name} is .*; expected"):
        read(MEASURED, name)
