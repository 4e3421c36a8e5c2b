import fsspec
import pytest

from jobs.errors import BadInputError
from jobs.fingerprint import data_fingerprint, fingerprint


def test_a_changed_byte_changes_a_files_fingerprint(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    before = fingerprint(str(file))
    file.write_bytes(b"abd")
    assert fingerprint(str(file)) != before


def test_a_folder_counts_names_and_contents(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    first = fingerprint(str(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    second = fingerprint(str(tmp_path))
    (tmp_path / "b").write_bytes(b"2")
    assert len({first, second, fingerprint(str(tmp_path))}) == 3


def test_a_large_file_in_a_folder_counts_by_size_head_and_tail(tmp_path):
    file = tmp_path / "large"
    file.write_bytes(bytes(3 * 2**20))
    before = fingerprint(str(tmp_path))
    file.write_bytes(bytes(3 * 2**20 - 1) + b"1")
    assert fingerprint(str(tmp_path)) != before


def test_files_in_a_linked_folder_count(tmp_path):
    (tmp_path / "set5").mkdir()
    (tmp_path / "set5" / "baby.png").write_bytes(b"1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "test").symlink_to(tmp_path / "set5")
    before = fingerprint(str(root))
    (tmp_path / "set5" / "baby.png").write_bytes(b"2")
    assert fingerprint(str(root)) != before


def test_a_link_to_a_folder_above_ends_there(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    before = fingerprint(str(tmp_path))
    (tmp_path / "again").symlink_to(tmp_path)
    assert fingerprint(str(tmp_path)) == before


def test_what_is_not_there_is_bad_input(tmp_path):
    with pytest.raises(BadInputError, match="no such file or folder"):
        fingerprint(str(tmp_path / "none"))


def test_a_checkpoint_may_be_on_any_file_system_that_fsspec_knows():
    files = fsspec.filesystem("memory")
    files.pipe("/checkpoints/net", b"1")
    before = fingerprint("memory://checkpoints/net")
    files.pipe("/checkpoints/net", b"2")
    assert fingerprint("memory://checkpoints/net") != before


@pytest.mark.parametrize("uri", ["memory://checkpoints/none", "no-such-protocol://bucket/net"])
def test_a_checkpoint_that_cannot_be_reached_is_bad_input(uri):
    with pytest.raises(BadInputError, match="cannot be read"):
        fingerprint(uri)


def test_files_that_arguments_name_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = tmp_path / "labels.csv"
    labels.write_text("1,2")
    named = [{"path": str(labels)}, {"inner": [{"path": "labels.csv"}]}, {"folder": f"{tmp_path}/"}]
    before = [data_fingerprint("root", each) for each in named]
    labels.write_text("2,1")
    after = [data_fingerprint("root", each) for each in named]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_the_place_of_a_file_among_the_arguments_counts(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    one, other = ({"train": str(tmp_path / x), "test": str(tmp_path / y)} for x, y in ("ab", "ba"))
    assert data_fingerprint("", one) != data_fingerprint("", other)


def test_arguments_that_name_no_file_leave_the_roots_fingerprint_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").mkdir()
    assert data_fingerprint("root", {"split": "train", "scale": 0.5, "name": "none.csv", "text": "x" * 5000}) == "root"


@pytest.mark.parametrize("value", ["/no/labels.csv", "memory://no/labels.csv"])
def test_a_file_that_an_argument_names_and_that_is_not_there_is_bad_input(value):
    with pytest.raises(BadInputError, match=r"arguments\.path: .*data\.fingerprint"):
        data_fingerprint("root", {"path": value})
