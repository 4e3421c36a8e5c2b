"""How wide what commands print is, off a terminal."""

from orchestrator.commands.consoles import output_console


def test_columns_are_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    assert output_console().width == 72


def test_files_and_pipes_get_wide_tables(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output_console().width == 200
    monkeypatch.setenv("COLUMNS", "many")
    assert output_console(wide=150).width == 150
