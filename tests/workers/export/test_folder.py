import pytest

from jobs.errors import BadInputError
from workers.export.description import CONFIG_FILE, FORMAT
from workers.export.folder import whole_folder

NAMES = {CONFIG_FILE, "a"}
EXPORTED = f'{{"format": "{FORMAT}"}}'


def write(folder, *, force=False, content="new"):
    with whole_folder(folder, NAMES, force=force) as made:
        (made / CONFIG_FILE).write_text(EXPORTED)
        (made / "a").write_text(content)


def listed(folder):
    return sorted(each.name for each in folder.iterdir())


def test_it_appears_with_everything_in_it(tmp_path):
    folder = tmp_path / "deep" / "network"
    with whole_folder(folder, NAMES, force=False) as made:
        (made / "a").write_text("x")
        assert not folder.exists()
    assert listed(folder) == ["a"]
    assert listed(folder.parent) == ["network"]


def test_after_an_error_nothing_is_there(tmp_path):
    with pytest.raises(TypeError), whole_folder(tmp_path / "network", NAMES, force=False) as made:
        (made / "a").write_bytes("no bytes")
    assert listed(tmp_path) == []


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "network").mkdir()
    write(tmp_path / "network")
    assert listed(tmp_path / "network") == ["a", CONFIG_FILE]


def test_an_earlier_export_is_replaced_as_a_whole_when_asked(tmp_path):
    folder = tmp_path / "network"
    write(folder, content="old")
    with pytest.raises(BadInputError, match="exists; --force replaces it"):
        write(folder)
    assert (folder / "a").read_text() == "old"
    with whole_folder(folder, NAMES, force=True) as made:
        (made / CONFIG_FILE).write_text(EXPORTED)
    assert listed(folder) == [CONFIG_FILE]
    assert listed(tmp_path) == ["network"]


def test_after_an_error_the_earlier_export_is_still_there(tmp_path):
    write(tmp_path / "network", content="old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "network", NAMES, force=True):
        raise RuntimeError
    assert (tmp_path / "network" / "a").read_text() == "old"


@pytest.mark.parametrize("exported", [True, False])
def test_files_of_the_user_are_never_deleted(tmp_path, exported):
    folder = tmp_path / "network"
    if exported:
        write(folder)
    else:
        folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(BadInputError, match=r"has files that no export wrote \(thesis.tex\)"):
        write(folder, force=True)
    assert (folder / "thesis.tex").read_text() == "mine"


def test_a_folder_that_merely_has_such_names_is_not_an_export(tmp_path):
    (tmp_path / CONFIG_FILE).write_text("{}")
    with pytest.raises(BadInputError, match=r"has files that no export wrote \(config.json\)"):
        write(tmp_path, force=True)


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "network").write_text("")
    with pytest.raises(BadInputError, match="is a file"):
        write(tmp_path / "network", force=True)


def test_others_may_read_it_as_any_folder(tmp_path):
    write(tmp_path / "network")
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "network").stat().st_mode == (tmp_path / "usual").stat().st_mode
