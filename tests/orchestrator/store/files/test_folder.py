import errno
import os
from stat import S_IMODE

import pytest
from files_suite import FilesSuite

from jobs.errors import BadInputError
from orchestrator.store.files import FolderFiles


@pytest.fixture
def files(tmp_path):
    return FolderFiles(tmp_path / "root")


class TestFolderFiles(FilesSuite):
    @pytest.fixture
    def files(self, tmp_path):
        return FolderFiles(tmp_path / "root")


def without_unnamed_files(monkeypatch):
    real_open = os.open

    def refuse(path, flags, *arguments, **keywords):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no unnamed files here")
        return real_open(path, flags, *arguments, **keywords)

    monkeypatch.setattr(os, "open", refuse)


def test_no_temporary_file_stays(files, tmp_path):
    files.create("a/b", b"1")
    files.create("a/b", b"2")
    files.replace("a/b", b"3")
    assert [path.name for path in (tmp_path / "root" / "a").iterdir()] == ["b"]


def test_a_writer_that_died_is_seen_by_a_walk_only(files):
    files.create("a/b", b"1")
    files.create("a/.b.0123", b"half")
    assert files.names("a") == ["b"]
    assert [entry.path for entry in files.walk("a") if entry.temporary] == ["a/.b.0123"]


def test_a_link_whose_answer_was_lost_has_won(files, monkeypatch):
    link = os.link

    def answer_lost(source, target):
        link(source, target)
        link(source, target)  # the network file system repeats the request

    without_unnamed_files(monkeypatch)  # network file systems have none
    monkeypatch.setattr("os.link", answer_lost)
    assert files.create("a/b", b"1")


def test_a_disk_that_fills_up_leaves_no_half_file(files, monkeypatch):
    write = os.write

    def full(descriptor, content):
        if len(content) > 2:
            return write(descriptor, content[:2])
        raise OSError("No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(OSError, match="No space"):
        files.create("a/b", b"1234")
    assert list(files.walk("a")) == []


def test_lines_that_could_not_be_written_leave_no_trace(files, monkeypatch):
    appender = files.appender("log", "d")
    appender.append(b"first\n")
    write = os.write

    def full(descriptor, content):
        monkeypatch.setattr("os.write", write)
        write(descriptor, content[:3])
        raise OSError("No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(OSError, match="No space"):
        appender.append(b"second\n")
    appender.append(b"third\n")
    appender.close()
    assert files.read("log/d.jsonl") == b"first\nthird\n"


def test_a_file_system_without_hard_links_is_refused(files, monkeypatch):
    def unsupported(source, target, **more):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", unsupported)
    with pytest.raises(BadInputError, match=r"Operation not permitted.*hard links"):
        files.check()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"cannot be used .*Not a directory"):
        FolderFiles(tmp_path / "file" / "store").check()


def test_a_torn_line_is_ended_by_the_next_writer(files):
    files.create("log/d.jsonl", b"first\nto")
    appender = files.appender("log", "d")
    appender.append(b"after\n")
    appender.close()
    assert files.read("log/d.jsonl") == b"first\nto\nafter\n"


def test_a_file_system_without_unnamed_files_keeps_the_first_writers_file_too(tmp_path, monkeypatch):
    without_unnamed_files(monkeypatch)
    files = FolderFiles(tmp_path)
    assert files.create("a/b", b"first")
    assert not files.create("a/b", b"second")
    assert files.read("a/b") == b"first"
    assert [entry.path for entry in files.walk("a")] == ["a/b"]


@pytest.mark.parametrize(("made_before", "rights"), [(False, 0o700), (True, 0o775)])
def test_a_store_that_it_makes_is_for_its_owner(tmp_path, made_before, rights):
    root = tmp_path / "store"
    if made_before:
        root.mkdir()
        root.chmod(0o775)
    FolderFiles(str(root)).create("manifests/a", b"content")
    assert S_IMODE(root.stat().st_mode) == rights
    usual = tmp_path / "usual"
    usual.mkdir()
    assert (root / "manifests").stat().st_mode == usual.stat().st_mode


def test_a_folder_that_cannot_be_read_is_no_empty_one(files, monkeypatch):
    files.create("a/b", b"1")
    listed = os.scandir

    def scandir(path):
        if str(path).endswith("/a"):
            raise OSError(errno.EIO, "the disk does not answer")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OSError, match="does not answer"):
        list(files.walk(""))
    assert list(files.walk("nothing")) == []
