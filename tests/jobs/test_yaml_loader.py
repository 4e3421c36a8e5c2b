"""Sweep files that no one should trust: each ends in a message, soon, and in bounded memory."""

import copy
import random
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.yaml_loader import DEEPEST, MOST_CHARACTERS, MOST_VALUES, parse_yaml

SWEEP = {
    "name": "s",
    "data": {"dataset": "digits"},
    "compressions": [0.2, 0.4],
    "models": {"net": {"network": "resnet", "arguments": {"widths": [8]}, "train": {"epochs": 1}}},
    "methods": {"dense": {"kind": "dense"}, "l1": {"kind": "criterion", "criterion": "l1", "allocation": "global"}},
}
TEXT = yaml.safe_dump(SWEEP, sort_keys=False)
LAUGHS = "a0: &a0 [1, 1]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}, *a{n}]\n" for n in range(40))
MERGES = "a0: &a0 {x0: 1}\n" + "".join(f"a{n + 1}: &a{n + 1} {{<<: [*a{n}, *a{n}]}}\n" for n in range(40))
HOSTILE = {
    "an impossible date": "name: 2020-13-41",
    "NUL": "name: a\0b",
    "NUL escaped": 'name: "a\\0b"',
    "half a character": 'name: "\\ud800"',
    "no character": 'name: "\\U00110000"',
    "5,000 digits": f"seeds: [{'9' * 5000}]",
    "5,000 hexadecimal digits": f"seeds: [0x{'f' * 5000}]",
    "5,000 sixtieths": f"seeds: [1{':1' * 5000}]",
    "5,000 digits and a point": f"priority: {'9' * 5000}.0",
    "a large exponent": "priority: 1e999999999",
    "5,000 brackets": "name: " + "[" * 5000,
    "5,000 closed brackets": "name: " + "[" * 5000 + "]" * 5000,
    "5,000 levels of keys": "".join(f"{' ' * n}a:\n" for n in range(400)),
    "5,000 dashes": "- " * 5000,
    "5,000 question marks": "? " * 5000,
    "an anchor that names itself": "name: &a [*a]",
    "a mapping that names itself": "models: &m {net: *m}",
    "a key that names itself": "? &k [*k]\n: 1",
    "two that name each other": "a: &a [&b [*a]]\nb: *b",
    "billion laughs": LAUGHS,
    "billion merges": MERGES,
    "a tag of Python": "name: !!python/object/apply:os.system ['true']",
    "a tag of YAML": "name: !!binary '*'",
    "an own tag": "name: !mine x",
    "a date by tag": "name: !!timestamp 2020-13-41",
    "a list as key": "? [a, b]\n: 1",
    "a mapping as key": "{{a: b}: c}",
    "not a number as key": ".nan: 1",
    "nothing as key": "~: 1",
    "many unknown keys": "".join(f"key{n}: 1\n" for n in range(3000)),
    "one key many times": "name: x\n" * 3000,
    "a long key": f"{'k' * 900}: 1",
    "many documents": "---\na: 1\n" * 100,
    "tabs": "name:\n\t- x",
    "a huge file": "# \n" * MOST_CHARACTERS,
    "a long list": f"seeds: [{'0, ' * MOST_VALUES}]",
    "a directive": "%YAML 9.9\n---\nname: x",
    "unknown anchors": "name: *nowhere",
    "an endless text": "name: |\n" + " x\n" * 3000,
}


def refused(path, content: str | bytes) -> str:
    """The message that a file ends in; raises where that is no message, or where the file can be used."""
    path.write_bytes(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
    try:
        load_sweep(path)
    except InvalidFileError as error:
        return str(error)
    return ""


def timed_refusal(path, text):
    """The message, and the processor seconds until it."""
    started_s = time.process_time()
    return refused(path, text), time.process_time() - started_s


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_a_second_and_in_little_memory(name, tmp_path):
    if name in ("billion laughs", "billion merges", "a huge file", "an anchor that names itself"):
        tracemalloc.start()
    message, duration_s = timed_refusal(tmp_path / "sweep.yaml", HOSTILE[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message
    message.encode()
    assert len(message) < 20_000
    if duration_s >= 1:  # once more, as cores may be shared
        _, duration_s = timed_refusal(tmp_path / "sweep.yaml", HOSTILE[name])
    assert duration_s < 1
    assert peak < 20e6


def test_a_date_is_a_text():
    assert parse_yaml("a: 2020-02-30\nb: 2020-01-01") == ({"a": "2020-02-30", "b": "2020-01-01"}, [])


def test_anchors_and_merges_that_stay_small_are_allowed():
    text = "base: &b {epochs: 1, lr: 0.1}\nnet: {<<: *b, epochs: 2}\nboth: [*b, *b]"
    base = {"epochs": 1, "lr": 0.1}
    assert parse_yaml(text) == ({"base": base, "net": {"epochs": 2, "lr": 0.1}, "both": [base, base]}, [])


def test_what_is_too_deep_says_where():
    (fault,) = parse_yaml("[" * (DEEPEST + 1))[1]
    assert fault.problem == f"line 1, column {DEEPEST + 1}: more than {DEEPEST} levels of nesting"


def corpus(count: int = 240) -> list[bytes]:
    """Malformed files, each made from a good one: cut, with changed, doubled or swapped lines, or with junk in it."""
    chance = random.Random(0)
    junk = [
        "[",
        "]",
        "{",
        "}",
        ":",
        "- ",
        "&a ",
        "*a",
        "!!int ",
        "? ",
        "|",
        "'",
        '"',
        "%",
        "\t",
        "\0",
        "\xff",
        "~",
        "1e9",
    ]
    made = []
    for number in range(count):
        text = TEXT
        for _ in range(1 + number % 4):
            place = chance.randrange(len(text))
            match number % 5:
                case 0:
                    text = text[:place] or "x"
                case 1:
                    text = text[:place] + chance.choice(junk) + text[place + chance.randrange(3) :]
                case 2:
                    lines = text.splitlines(keepends=True)
                    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                    text = "".join(lines)
                case 3:
                    text = text[:place] + chance.choice(junk) * 40 + text[place:]
                case 4:
                    text = text.replace(
                        chance.choice(text.split() or ["x"]), chance.choice([*junk, "-1", "[]", "{}", "x:"])
                    )
        made.append(text.encode(chance.choice(["utf-8", "utf-8", "utf-8", "latin-1", "utf-16"]), errors="replace"))
    return made


def test_a_corpus_of_malformed_files_ends_in_messages(tmp_path):
    messages = [refused(tmp_path / "sweep.yaml", content) for content in corpus()]
    assert sum(map(bool, messages)) > 200  # a few are good sweeps by chance


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(["criterion", "dense", "own", "transfer", "net", "a:b", "\0", 10**400]),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
_PLACES = [
    ("name",), ("data",), ("data", "dataset"), ("data", "arguments"), ("compressions",), ("models",), ("models", "net"),
    ("models", "net", "network"), ("models", "net", "train"), ("models", "net", "train", "epochs"),
    ("models", "net", "objective"), ("methods",), ("methods", "l1"), ("methods", "l1", "kind"),
    ("methods", "l1", "allocation"), ("methods", "l1", "train"), ("protocols",), ("objective",), ("resources",),
    ("controls",), ("storage",), ("tracking",), ("budget",), ("prune",),
]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(_PLACES), _VALUES)
def test_any_value_anywhere_is_read_or_refused(tmp_path_factory, place, value):
    sweep = copy.deepcopy(SWEEP)
    node = sweep
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    refused(tmp_path_factory.getbasetemp() / "any.yaml", yaml.safe_dump(sweep, allow_unicode=True))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text):
    parse_yaml(text)


@pytest.mark.parametrize(
    "override", ["a" + ".a" * 5000 + "=1", "seeds=" + "[" * 5000, "=", "@", "a=\0", "seeds.0=1", ".=1"]
)
def test_a_hostile_override_is_refused(tmp_path, override):
    (tmp_path / "sweep.yaml").write_text(TEXT)
    with pytest.raises(InvalidFileError):
        load_sweep(tmp_path / "sweep.yaml", [override])
