"""Hooks of MkDocs: the site has the repository's pages at the repository's paths, so that a link works in both.

A notebook is a page, too: its text, its code, and what the code gave when it was last run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]

PARTS = (
    "*.md",
    "LICENSE",
    "CITATION.cff",
    "docs/**/*",
    "benchmarks/**/*.md",
    "benchmarks/**/*.png",
    "benchmarks/**/*.csv",
    "jobs/sweeps/**/*.yaml",
)
"""What the site consists of: pages, and the files that they link to."""


def site_files() -> list[str]:
    """Paths of all files of the site, relative to the repository, sorted."""
    found = {path for part in PARTS for path in ROOT.glob(part)}
    kept = [path for path in found if path.is_file() and path != Path(__file__) and "__pycache__" not in path.parts]
    return sorted(path.relative_to(ROOT).as_posix() for path in kept)


def navigation(listed: list[Any]) -> list[Any]:
    """The navigation with every folder (`docs/decisions/`) replaced by its pages, and every notebook by its page."""
    return [_entry(entry) for entry in listed]


def _entry(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {
            title: navigation(value) if isinstance(value, list) else _entry(value) for title, value in entry.items()
        }
    if entry.endswith("/"):
        return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / entry).glob("*.md"))
    return str(Path(entry).with_suffix(".md")) if entry.endswith(".ipynb") else entry


def notebook_page(path: Path) -> str:
    """A notebook as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _parts(cell)) + "\n"


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            yield f"![What the code above draws](data:image/png;base64,{''.join(data['image/png']).strip()})"
        elif "text/html" in data:
            yield re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL).replace("\n", "")
        else:
            text = "".join(output.get("text") or data.get("text/plain", []))
            yield f"```text\n{text.rstrip()}\n```"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the folders of the navigation."""
    config.nav = navigation(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace what MkDocs found below `docs` by the files of the site; those of the theme stay."""
    from mkdocs.structure.files import File

    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    for path in site_files():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
        if path.endswith(".ipynb"):
            page = str(Path(path).with_suffix(".md"))
            files.append(File.generated(config, page, content=notebook_page(ROOT / path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to notebooks lead to their pages."""
    return re.sub(r"(\]\([^)\s]+)\.ipynb\)", r"\1.md)", markdown)
