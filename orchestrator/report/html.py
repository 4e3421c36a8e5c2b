"""What the pages that we write have in common: templates, their style, and tables. Nothing is loaded from elsewhere.

`parts.html.j2` has the macros, `page.css` the style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a page.

    Attributes:
        head: Column headings.
        rows: The cells of each row, as many as `head` has; markup where they are of that type.
        names: Number of leading columns that hold names; the others hold numbers.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int


@cache
def template(name: str, folder: Path | None = None) -> Template:
    """A template: values are escaped, and an undefined name is an error.

    Args:
        name: Its file.
        folder: Where that is; default: with those of the report, whose parts and style it finds in any case.
    """
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader([here] if folder is None else [folder, here]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
