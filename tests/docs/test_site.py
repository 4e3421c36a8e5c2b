"""The pages of the site: all are in its navigation, and links between them end somewhere, on GitHub and in the site."""

import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def _hooks():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES = _hooks().site_files()
NOTEBOOKS = [path for path in FILES if path.endswith(".ipynb")]
PAGES = [path for path in FILES if path.endswith(".md")]


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without the functions that it names."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)


def in_navigation(entries: list) -> Iterator[str]:
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from in_navigation(value) if isinstance(value, list) else [value]


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE))


@cache
def anchors(page: str) -> set[str]:
    """Those of a page's headings, as GitHub and pymdownx.slugs make them."""
    text = re.sub(r"^( *)```.*?^\1```$", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in plain}


def fault(page: str, link: str) -> str | None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    name = target.resolve().relative_to(ROOT).as_posix()
    if name not in FILES:
        return f"{page}: {link} is no file of the site"
    if anchor and anchor not in anchors(name):
        return f"{page}: {link}: {name} has no such heading"
    return None


def test_every_page_is_in_the_navigation_once():
    config = yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)
    listed = list(in_navigation(_hooks().navigation(config["nav"])))
    assert sorted(listed) == sorted([*PAGES, *(path.removesuffix("ipynb") + "md" for path in NOTEBOOKS)])


def test_a_folder_in_the_navigation_stands_for_its_pages():
    (entry,) = _hooks().navigation([{"Why": "docs/decisions/"}])
    assert entry["Why"][0] == "docs/decisions/0001-task-keys.md"


def text_of(page: str) -> str:
    return _hooks().notebook_page(ROOT / page) if page in NOTEBOOKS else (ROOT / page).read_text()


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS])
def test_its_links_end_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page)))
    near = [link for link in links if not link.startswith(("http://", "https://", "mailto:", "data:"))]
    assert [fault(page, link) for link in near if fault(page, link)] == []


@pytest.mark.parametrize("page", PAGES)
def test_its_lists_are_lists_in_the_site_too(page):
    """A list needs an empty line before it, and its paragraphs four spaces; GitHub is content with less."""
    text = re.sub(r"^( *)```.*?^\1```$", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    late = re.findall(r"^(?!\s|[-*] |\d+\. )[^\n]+\n([-*] .*)", text, re.MULTILINE)
    late += re.findall(r"^ {4}[^\n]+\n([-*] .*)", text, re.MULTILINE)
    shallow = re.findall(r"\n\n {1,3}(\S.*)", text)
    assert late + shallow == []


def test_a_notebook_is_a_page_with_what_its_code_gave(tmp_path):
    table = {"output_type": "execute_result", "data": {"text/html": ["<style>x</style><table>", "</table>"]}}
    printed = {"output_type": "stream", "text": ["words\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": [printed, table]},
    ]
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": cells}))
    page = "# Title\n\n```python\na = 1\na\n```\n\n```text\nwords\n```\n\n<table></table>\n"
    assert _hooks().notebook_page(tmp_path / "x.ipynb") == page
    assert _hooks().on_page_markdown("[it](../x.ipynb)") == "[it](../x.md)"
