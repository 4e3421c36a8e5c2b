from stat import S_IMODE

from orchestrator.private import make_private, make_private_file


def rights(path):
    return S_IMODE(path.stat().st_mode)


def test_what_is_made_is_for_its_owner(tmp_path):
    make_private(tmp_path / "a" / "b")
    assert [rights(tmp_path / "a"), rights(tmp_path / "a" / "b")] == [0o700, 0o700]


def test_a_folder_that_is_there_keeps_its_rights(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o775)
    make_private(tmp_path / "shared")
    assert rights(tmp_path / "shared") == 0o775


def test_a_file_is_made_once_and_keeps_its_content(tmp_path):
    file = tmp_path / "a" / "results.db"
    make_private_file(file)
    assert (rights(file), rights(file.parent)) == (0o600, 0o700)
    file.write_text("rows")
    make_private_file(file)
    assert file.read_text() == "rows"
