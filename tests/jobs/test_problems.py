import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from jobs.problems import problem, shown, written


class Inner(BaseModel):
    depth: int = 1


class Whole(BaseModel):
    model_config = ConfigDict(strict=True)

    count: int = 1
    share: float = 0.5
    text: str = ""
    switch: bool = False
    inner: Inner = Inner()
    table: dict[str, int] = {}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("count", True, "true is not valid; give a whole number"),
        ("count", 1.5, "1.5 is not valid; give a whole number"),
        ("share", None, "null is not valid; give a number"),
        ("text", False, "false is not valid; give text, in quotes where it looks like something else"),
        ("switch", "yes", "'yes' is not valid; give true or false"),
        ("inner", 3, "3 is no mapping; write its keys and values"),
        ("table", [None], "[null] is no mapping; write its keys and values"),
    ],
)
def test_another_type_is_told_in_the_words_of_the_file(key, value, expected):
    with pytest.raises(ValidationError) as raised:
        Whole.model_validate({key: value})
    assert [problem(each) for each in raised.value.errors()] == [expected]


def test_values_are_written_as_yaml():
    assert written({"a": [True, None, "x"], "b": (1, 0.5)}) == "{a: [true, null, 'x'], b: [1, 0.5]}"


def test_a_long_value_is_cut():
    assert shown("x" * 100) == "'" + "x" * 56 + "..."
