"""Coverage: which share of a network's parameters can go, over about 130 networks of several libraries.

Per network: the share of the parameters in prunable groups (a parameter counts if a group owns a position on any of its
axes; one that the network never reads counts for nothing), what is refused and why, whether the numerical proof holds
(`workers.channels.proof`; of networks analysed in parts, whether masked and cut parts agree), seconds of the processor,
peak memory of the process, and the share and the seconds of Torch-Pruning (how that is counted:
`coverage_measure.measure_peer`).

Each network has a process of its own with a time limit; what ends early is a row, not the end. Rows go to a file of
JSON lines, and what is in it is not done again. Figures: networks, proved, wrong, share_median, above_90_percent,
silent (layers neither in a group nor refused by name, and networks without either), seconds_median, ratio_to_peer
(median of our seconds to the peer's), and not_traced.

    uv pip install --group benchmarks
    python -m benchmarks.coverage [--quick] [--only 'timm:*' ...] [--rows coverage.jsonl] [--patience 300]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path

from benchmarks.coverage_measure import Row, limit_memory, measure, measure_peer, prepare
from benchmarks.coverage_networks import NAMES, QUICK

PEER_PATIENCE = 60
"""Seconds after which the peer is given up."""
_KINDS: dict[str, Callable[[str], Iterator[Row]]] = {"ours": measure, "peer": measure_peer}


def measured(name: str, patience: int) -> Row:
    """The row of one network, from two processes: ours and the peer's."""
    row: Row = {"name": name}
    for kind in _KINDS:
        row |= _run(name, kind, patience if kind == "ours" else min(patience, PEER_PATIENCE))
    return row


def _run(name: str, kind: str, patience: int) -> Row:
    """The last row that a process writes before its end, and how it ended if not well."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        process = get_context("fork").Process(target=_child, args=(kind, name, file))  # with everything imported
        process.start()
        process.join(patience)
        end = f"exit {process.exitcode}" if process.exitcode else ""
        if process.exitcode is None:
            process.kill()
            process.join()
            end = f"not done after {patience} s"
        lines = file.read_text().splitlines() if file.exists() else []
    row: Row = json.loads(lines[-1]) if lines else {}
    return row | ({"error" if kind == "ours" else "peer_error": end} if end else {})


def _child(kind: str, name: str, file: Path) -> None:
    limit_memory()
    with file.open("w", buffering=1) as rows:
        try:
            for row in _KINDS[kind](name):
                rows.write(json.dumps(row) + "\n")
        except Exception as error:  # whatever a library or its network raises is a row
            fault = f"{type(error).__name__}: {str(error).strip()[:200]}"
            rows.write(json.dumps({"name": name, "error" if kind == "ours" else "peer_error": fault}) + "\n")


def table_line(row: Row) -> str:
    """A line of the table."""
    layers = sum(len(each.rpartition(" | ")[2].split(", ")) for each in row.get("refused", []))
    peer = f"{row['peer_share']:.0%} in {row['peer_seconds']} s" if "peer_share" in row else row.get("peer_error", "?")
    peer = peer.replace("|", "/").replace("\n", " ")
    fault = row.get("error", "").replace("|", "/").replace("\n", " ")[:120]
    proof = str(row.get("proof", ""))[:60] + (f" ({fault})" if fault else "")
    silent = len(row.get("silent", []))
    return (
        f"| {row['name']} | {row.get('share', 0):.1%} | {row.get('groups', 0)} | {layers} | {silent} | {proof} | "
        f"{row.get('seconds', '')} | {row.get('peak_gb', '')} | {peer[:80]} |"
    )


def figures(rows: Sequence[Row]) -> dict[str, float]:
    """The keys of the benchmark."""
    seconds = [row["seconds"] for row in rows if "seconds" in row]
    ratios = [row["seconds"] / row["peer_seconds"] for row in rows if "seconds" in row and row.get("peer_seconds")]
    shares = [row.get("share", 0.0) for row in rows]
    return {
        "networks": len(rows),
        "proved": sum(row.get("proof") == "holds" for row in rows),
        "wrong": sum(str(row.get("proof")).startswith("WRONG") for row in rows),
        "share_median": round(statistics.median(shares), 4),
        "above_90_percent": sum(share >= 0.9 for share in shares),
        "silent": sum(len(row.get("silent", [])) for row in rows),
        "not_traced": sum("seconds" not in row for row in rows),
        "seconds_median": round(statistics.median(seconds or [0.0]), 2),
        "ratio_to_peer": round(statistics.median(ratios or [0.0]), 2),
        "peer_share_median": round(statistics.median(row.get("peer_share", 0.0) for row in rows), 4),
        "peer_above_90_percent": sum(row.get("peer_share", 0.0) >= 0.9 for row in rows),
    }


def reasons(rows: Sequence[Row]) -> list[str]:
    """Why layers are refused, the most frequent reasons first: layers, networks, operator and reason."""
    layers: dict[str, int] = {}
    networks: dict[str, set[str]] = {}
    for row in rows:
        for refused in row.get("refused", []):
            operator, _, rest = refused.partition(" | ")
            reason, _, names = rest.partition(" | ")[2].rpartition(" | ")
            reason = "fails" if operator == "second trace" else reason
            key = f"{operator}: {reason[:80]}"
            layers[key] = layers.get(key, 0) + len(names.split(", "))
            networks.setdefault(key, set()).add(row["name"])
    order = sorted(layers, key=lambda key: layers[key], reverse=True)
    return [f"| {key} | {layers[key]} | {len(networks[key])} |" for key in order]


def main() -> None:
    """Print the tables and, last, the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Seven networks.")
    parser.add_argument("--only", nargs="*", default=["*"], help="Patterns of names.")
    parser.add_argument("--rows", type=Path, help="File of rows; what is in it is not done again.")
    parser.add_argument("--patience", type=int, default=300, help="Seconds for one network.")
    arguments = parser.parse_args()
    prepare()
    names = [
        name for name in (QUICK if arguments.quick else NAMES) if any(fnmatch(name, each) for each in arguments.only)
    ]
    rows: dict[str, Row] = {}
    if arguments.rows and arguments.rows.exists():
        rows = {row["name"]: row for row in map(json.loads, arguments.rows.read_text().splitlines())}
    print("| network | share | groups | refused layers | silent | proof | seconds | peak GB | Torch-Pruning |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in names:
        if name not in rows:
            rows[name] = measured(name, arguments.patience)
            if arguments.rows:
                with arguments.rows.open("a") as file:
                    file.write(json.dumps(rows[name]) + "\n")
        print(table_line(rows[name]), flush=True)
    chosen = [rows[name] for name in names]
    print("\n| reason | layers | networks |\n|---|---|---|", *reasons(chosen), sep="\n")
    print(json.dumps(figures(chosen)))


if __name__ == "__main__":
    main()
