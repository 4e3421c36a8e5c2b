"""What every place for files must do. A test module of an implementation subclasses `FilesSuite`."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest


class FilesSuite:
    """Subclasses define the fixture `files`: an empty place."""

    def test_what_was_created_is_read_back(self, files):
        assert files.create("a/b", b"content")
        assert (files.read("a/b"), files.exists("a/b"), files.exists("a/c")) == (b"content", True, False)

    def test_the_first_writer_wins(self, files):
        assert files.create("a/b", b"first")
        assert not files.create("a/b", b"second")
        assert files.read("a/b") == b"first"

    def test_of_many_writers_at_once_one_wins_and_its_content_is_seen(self, files):
        barrier = threading.Barrier(8)

        def write(index: int) -> bool:
            barrier.wait()
            return files.create("a/b", b"%d" % index)

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(write, range(8)))
        assert won.count(True) == 1
        assert files.read("a/b") == b"%d" % won.index(True)

    def test_replacing_needs_no_file_and_minds_none(self, files):
        files.replace("a/b", b"first")
        files.replace("a/b", b"second")
        assert files.read("a/b") == b"second"

    def test_what_is_missing_is_an_error_to_read_and_none_to_delete(self, files):
        with pytest.raises(FileNotFoundError):
            files.read("a/b")
        files.delete("a/b")
        assert files.stat("a/b") is None

    def test_a_deleted_file_can_be_created_again(self, files):
        files.create("a/b", b"first")
        files.delete("a/b")
        assert not files.exists("a/b")
        assert files.create("a/b", b"second")

    def test_names_are_those_directly_below_and_always_the_newest(self, files):
        assert files.names("a") == []
        files.create("a/b", b"")
        files.create("a/c/d", b"")
        assert sorted(files.names("a")) == ["b", "c"]
        files.create("a/e", b"")
        files.delete("a/b")
        assert sorted(files.names("a")) == ["c", "e"]

    def test_walking_lists_every_file_with_its_size(self, files):
        files.create("a/b", b"12")
        files.create("a/c/d", b"345")
        files.create("z", b"")
        entries = list(files.walk("a"))
        assert sorted((entry.path, entry.size_bytes, entry.temporary) for entry in entries) == [
            ("a/b", 2, False),
            ("a/c/d", 3, False),
        ]
        assert list(files.walk("nowhere")) == []

    def test_a_part_of_a_file_ends_where_the_file_does(self, files):
        files.replace("a/b", b"0123456789")
        assert [files.read_part("a/b", *part) for part in ((0, 4), (3, 2), (8, 9))] == [b"0123", b"34", b"89"]

    def test_the_time_of_writing_is_told(self, files):
        files.create("a/b", b"12")
        (listed,) = files.walk("a")
        # Within a minute of this machine's clock: seconds since the epoch, and not some other measure or zone.
        assert abs(files.stat("a/b").modified_s - time.time()) < 60
        assert abs(listed.modified_s - files.stat("a/b").modified_s) < 2  # may be rounded differently

    def test_appended_lines_come_in_order_and_writers_do_not_mix(self, files):
        first, second = files.appender("log", "first"), files.appender("log", "second")
        for number in range(3):
            first.append(b"%d\n" % number)
            second.append(b"x\n")
        assert b"".join(files.read(f"log/{name}") for name in sorted(files.names("log"))) == b"0\n1\n2\nx\nx\nx\n"
        first.close()
        second.close()

    def test_the_check_leaves_nothing(self, files):
        files.check()
        assert files.names("") == []
