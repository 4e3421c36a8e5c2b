"""The sweeps that come with Orchard, found by name from any folder."""

from pathlib import Path

from jobs.errors import nearest

_SWEEPS = Path(__file__).parent / "sweeps"


def shipped_sweeps() -> dict[str, str]:
    """Name -> what the sweep is, in a sentence or two: the comment at the beginning of its file."""
    return {path.stem: _summary(path) for path in sorted(_SWEEPS.glob("*.yaml"))}


def sweep_file(given: str | Path) -> Path:
    """The file that a name on the command line means.

    Args:
        given: A file; or, where there is no such file, the name of a sweep that is shipped (`quickstart`), of its form
            for small machines (`reduced/inn_table2`) or of its file.
    """
    path = Path(given)
    if path.exists() or path.is_absolute():
        return path
    found = _SWEEPS / path.with_suffix(".yaml")
    return found if found.exists() else path


def suggestion(given: str | Path) -> str:
    """What to do where there is no such file: names of shipped sweeps that are near, if it looks like one."""
    name = str(given)
    if Path(name).suffix or "/" in name:
        return "give a YAML file"
    return f"give a YAML file, or a sweep that is shipped: {nearest(name, list(shipped_sweeps()))}"


def _summary(path: Path) -> str:
    """The sentences of the comment, up to its first line that is code or blank."""
    lines = []
    for line in path.read_text().splitlines():
        text = line.removeprefix("#")
        if text == line or text.startswith("  ") or not text.strip():
            break
        lines.append(text.strip())
    whole, end, _ = " ".join(lines).rpartition(".")
    return whole + end
