"""The commands that the pages name are there, with the options that they name."""

import re
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from orchestrator.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
COMMAND = re.compile(r"(?:^|(?<=[\s`/$]))orchard ([a-z]+)\b([^\n`#]*)", re.MULTILINE)


def faults(text: str) -> list[str]:
    found = []
    for name, rest in COMMAND.findall(text.replace("\\\n", " ")):
        command = cli.commands.get(name)
        known = {option for each in command.params for option in each.opts + each.secondary_opts} if command else set()
        asked = re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", rest)
        found += [f"orchard {name}{rest}: no {option}" for option in asked if option not in known | {"--help"}]
        if command is None:
            found.append(f"orchard {name}: no such command")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_are_there(page):
    assert faults((ROOT / page).read_text()) == []


def test_a_command_or_an_option_that_is_not_there_is_found():
    assert faults("$ orchard bake cake\n    .venv/bin/orchard run x.yaml --loud") == [
        "orchard bake: no such command",
        "orchard run x.yaml --loud: no --loud",
    ]


@pytest.mark.parametrize(("words", "begun", "whole"), [([], "pl", "plan"), (["plan", "x.yaml"], "--co", "--cost")])
def test_a_shell_completes_commands_and_options(words, begun, whole):
    found = BashComplete(cli, {}, "orchard", "_ORCHARD_COMPLETE").get_completions(words, begun)
    assert whole in {item.value for item in found}
