import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.identity import KEY_LENGTH, canonical, content_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_canonical_json_has_sorted_keys_and_no_blanks():
    assert canonical({"b": [1, 2.5, None], "a": "ü"}) == '{"a":"\\u00fc","b":[1,2.5,null]}'


def test_a_key_is_32_hexadecimal_characters():
    key = content_key({"a": 1})
    assert (len(key), set(key) <= set(string.hexdigits)) == (KEY_LENGTH, True)


def test_the_recipe_does_not_change_unnoticed():
    # sha256 of '{"a":1}', computed with another tool, begins like this. A changed recipe would orphan every store.
    assert content_key({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad808"


@given(st.dictionaries(st.text(max_size=3), JSON, min_size=1))
def test_the_order_of_keys_does_not_matter(value):
    assert content_key(value) == content_key(dict(reversed(value.items())))


@given(JSON, JSON)
def test_equal_keys_mean_equal_json(first, second):
    assert (content_key(first) == content_key(second)) == (canonical(first) == canonical(second))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_has_no_key(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_key({"a": value})
