"""Leaderboards that are written into one folder, one after the other."""

import os

import pytest
from ranked import entry, sweep

from jobs.errors import BadInputError
from orchestrator.leaderboard import board_files, boards_of, write_board


def files_of(name: str, dataset: str) -> dict[str, bytes]:
    sweeps = [sweep(entry("l1", {0: {2.0: 0.5}}, sweep=name), name=name, dataset=dataset)]
    return board_files(boards_of(sweeps), sweeps)


def there(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_pages_and_sweep_files_of_an_earlier_one_are_removed(tmp_path):
    write_board(files_of("first", "digits"), tmp_path)
    second = files_of("second", "letters")
    write_board(second, tmp_path)
    assert there(tmp_path) == set(second)
    assert (tmp_path / "leaderboard.csv").read_bytes() == second["leaderboard.csv"]


def test_what_is_not_its_own_stays(tmp_path):
    first, second = files_of("first", "digits"), files_of("second", "letters")
    (tmp_path / "sweeps").mkdir()
    own = ["board-of-directors.html", "sweeps/mine.yaml", "notes.csv"]
    for name in own:
        (tmp_path / name).write_text("mine")
    write_board(first, tmp_path)
    (tmp_path / "sweeps" / "first.yaml").write_text("name: first  # changed\n")
    (tmp_path / "board-net-digits.html").write_text("another page")
    write_board(second, tmp_path)
    assert there(tmp_path) == {*second, *own, "sweeps/first.yaml", "board-net-digits.html"}


@pytest.mark.parametrize("name", ["index.html", "leaderboard.csv", "board-net-digits.html", "sweeps/first.yaml"])
def test_nothing_that_is_not_its_own_is_written_over(tmp_path, name):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadInputError, match=f"{name}: is no file of a leaderboard"):
        write_board(files_of("first", "digits"), tmp_path)
    assert there(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_a_page_that_was_changed_since_is_not_written_over(tmp_path):
    write_board(files_of("first", "digits"), tmp_path)
    (tmp_path / "board-net-digits.html").write_text("mine")
    with pytest.raises(BadInputError, match="changed since"):
        write_board(files_of("first", "digits"), tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="cannot be written"):
        write_board(files_of("first", "digits"), tmp_path / "file" / "board")


def test_others_may_read_it_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        write_board(files_of("first", "digits"), tmp_path / "new" / "board")
    finally:
        os.umask(before)
    for path in ("new", "new/board", "new/board/sweeps"):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "new/board/index.html").stat().st_mode & 0o777 == 0o644
