"""Leaderboards that are written into one folder, one after the other."""

from ranked import entry, sweep

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


def test_an_index_of_something_else_names_nothing_to_remove(tmp_path):
    (tmp_path / "index.html").write_bytes(b'<h2><a href="board-x.html">x</a></h2>\xff')
    (tmp_path / "board-x.html").write_text("mine")
    write_board(files_of("first", "digits"), tmp_path)
    assert (tmp_path / "board-x.html").read_text() == "mine"
