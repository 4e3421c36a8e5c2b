"""Commands on results: tables and figures, networks to choose and to take along, MLflow."""

import sys
from typing import Any

import click

from orchestrator.cli.options import JSON, STORAGE, TRACKING
from orchestrator.commands.selecting import requirement_options, requirements, selection, selection_options


@click.command()
@click.argument("name")
@STORAGE
@click.option("--out", type=click.Path(file_okay=False), default="report", show_default=True, help="Output folder.")
@click.option("--by", metavar="LABEL", help="Take models with the same value of this label together.")
def report(name: str, storage: str, out: str, by: str | None) -> None:
    """Write figure, tables and HTML page of a sweep.

    From the store alone, of the sweep NAME or of a sweep file.
    """
    from orchestrator.commands import reporting

    reporting.report(name, storage=storage, out=out, by=by)


@click.command()
@click.argument("name")
@STORAGE
@requirement_options
@click.option("--pareto", is_flag=True, help="Only networks that no other one of the same model beats in everything.")
@JSON
def best(name: str, storage: str, pareto: bool, as_json: bool, **options: Any) -> None:
    """Rank the networks of a sweep, the best first.

    Of the sweep NAME or of a sweep file; by default, the smallest that is about as good as the dense one.

    A network stands for all its seeds. Ranked by --by; without it the smallest comes first where the metric is bounded
    (--within), and the best metric where a cost or the compression is. --pareto alone bounds nothing.
    """
    from orchestrator.commands import choosing

    wanted = requirements(options)
    choosing.best(name, storage=storage, wanted=wanted, by=options["by"], pareto=pareto, as_json=as_json)


@click.command()
@click.argument("sweeps", nargs=-1, required=True)
@STORAGE
@click.option(
    "--out", type=click.Path(file_okay=False), default="leaderboard", show_default=True, help="Output folder."
)
def leaderboard(sweeps: tuple[str, ...], storage: str, out: str) -> None:
    """Rank the methods of sweeps where their networks are equally small.

    Of the sweeps SWEEPS, or of sweep files: at 2, 4 and 8 times fewer multiply-accumulates and parameters, as static
    pages that need no network.
    """
    from orchestrator.commands import leading

    leading.leaderboard(sweeps, storage=storage, out=out)


@click.command()
@click.argument("name")
@STORAGE
@selection_options
@click.option("--out", type=click.Path(file_okay=False), required=True, help="The folder to write; a new one.")
@click.option("--force", is_flag=True, help="Replace an earlier export in that folder.")
@click.option("--torchscript", is_flag=True, help="Write TorchScript, too.")
@click.option("--tensorrt", is_flag=True, help="Say in the card how TensorRT builds an engine.")
@click.option("--int8", is_flag=True, help="Add the quantised ONNX graph that the sweep has measured.")
def export(name: str, storage: str, out: str, **options: Any) -> None:
    """Write a network into a folder that needs no Orchard.

    One of the sweep NAME or of a sweep file.

    Weights, programs of torch.export and ONNX, a model card, and a script that loads the network into its class. Name
    the network, or take the best one: --best alone takes the smallest within 1.0 of the dense network.
    """
    from orchestrator.commands import exporting

    asked = selection(options)
    sys.exit(exporting.export(name, storage=storage, asked=asked, out=out, **options))


@click.command()
@click.argument("name")
@click.argument("method")
@STORAGE
@click.option("--model", help="Needed where the sweep has several models.")
@click.option("--compression", type=float, help="A measured compression; default: the largest one that all seeds have.")
def template(name: str, method: str, storage: str, model: str | None, compression: float | None) -> None:
    """Print the widths of a method as an allocation.

    The fractions that METHOD of the sweep NAME (or of a sweep file) keeps per stage.
    """
    from orchestrator.commands import reporting

    reporting.template(name, method, storage=storage, model=model, compression=compression)


@click.command()
@click.argument("name")
@STORAGE
@TRACKING
@click.option("--rebuild", is_flag=True, help="Delete the sweep's runs in MLflow and log everything again.")
def sync(name: str, storage: str, tracking: str | None, rebuild: bool) -> None:
    """Update MLflow from the store.

    For the sweep NAME or for a sweep file.
    """
    from orchestrator.commands import reporting

    reporting.sync(name, storage=storage, tracking=tracking, rebuild=rebuild)


@click.command()
@click.argument("name", required=False)
@STORAGE
@TRACKING
@click.option("--port", type=click.IntRange(1, 65535), help="Port on this machine; default: 5000, or one that is free.")
@click.option("--browser/--no-browser", default=True, help="Open the address in a browser.")
def ui(name: str | None, storage: str, tracking: str | None, port: int | None, browser: bool) -> None:
    """Show the curves in MLflow until Ctrl-C.

    Of the sweep NAME or of a sweep file; without NAME, the list of all sweeps.

    Serves MLflow from the sweep's database on this machine alone, and opens its charts. Where `tracking` is a server,
    only opens them.
    """
    from orchestrator.commands import viewing

    viewing.view(name, storage=storage, tracking=tracking, port=port, browser=browser)


@click.command()
@click.argument("name")
@selection_options
@click.option("--as", "target", required=True, metavar="MODEL[@ALIAS]", help="The registered model, and an alias.")
@STORAGE
@TRACKING
def register(name: str, target: str, storage: str, tracking: str | None, **options: Any) -> None:
    """Register a network in MLflow's model registry.

    One of the sweep NAME or of a sweep file.

    It runs without Orchard. Registering the same network again makes no second version.
    """
    from orchestrator.commands import registering

    asked = selection(options)
    registering.register_network(name, asked=asked, target=target, storage=storage, tracking=tracking)
