"""Hooks of MkDocs: the site has the repository's pages at the repository's paths, so that a link works in both."""

from __future__ import annotations

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
    """The navigation with every folder (`docs/decisions/`) replaced by its pages, in the order of their names."""
    return [_entry(entry) for entry in listed]


def _entry(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {
            title: navigation(value) if isinstance(value, list) else _entry(value) for title, value in entry.items()
        }
    if entry.endswith("/"):
        return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / entry).glob("*.md"))
    return entry


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
    return files
