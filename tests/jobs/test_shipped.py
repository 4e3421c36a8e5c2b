import pytest

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.shipped import shipped_sweeps, sweep_file


def test_every_sweep_that_is_shipped_says_what_it_is():
    summaries = shipped_sweeps()
    assert "handwritten digits" in summaries["quickstart"]
    assert all(len(text) > 40 and "orchard run" not in text for text in summaries.values())


def test_they_are_found_by_name_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_sweep("quickstart").name == "quickstart"
    assert load_sweep("inn_table2", ["@reduced/inn_table2", "data.root=/data"]).seeds == (0,)


def test_a_file_goes_before_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").write_text("name: mine")
    assert sweep_file("quickstart").read_text() == "name: mine"


@pytest.mark.parametrize(
    ("given", "said"),
    [("quikstart", "did you mean 'quickstart'"), ("my/sweep.yaml", r"cannot be read .*; give a YAML file")],
)
def test_where_there_is_neither_both_are_named(given, said):
    with pytest.raises(InvalidFileError, match=said):
        load_sweep(given)
