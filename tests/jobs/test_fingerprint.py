import fsspec
import pytest

from jobs.errors import BadInputError
from jobs.fingerprint import fingerprint, source_fingerprint


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


def test_a_users_module_counts_without_being_imported(tmp_path, monkeypatch):
    (tmp_path / "their_package").mkdir()
    module = tmp_path / "their_package" / "nets.py"
    module.write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = source_fingerprint("their_package.nets:build")
    module.write_text("raise RuntimeError('imported again')")
    assert source_fingerprint("their_package.nets:build") != before


def test_a_missing_module_is_bad_input():
    with pytest.raises(BadInputError, match="no module"):
        source_fingerprint("jobs.no_such_module:build")
