"""The `orchard` command: parses arguments and sets exit codes; the work is done in `orchestrator.commands`.

Exit codes: 0 all results are in the store; 1 a task failed; 2 the input cannot be used; 3 a run was stopped before its
end (cancelled, out of budget, terminated) and the same command continues it. Heavy modules are imported by the command
that needs them, so that `orchard plan` starts fast.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from jobs.errors import BadInputError, OrchardError
from jobs.secrets import mask
from orchestrator.backends import BACKENDS
from orchestrator.commands.selecting import (
    DEFAULT_TOLERANCE,
    requirement_options,
    requirements,
    selection,
    selection_options,
)
from orchestrator.masked_output import mask_output
from orchestrator.shadowing import refuse_shadows

_SWEEP = click.argument("sweep", type=click.Path(dir_okay=False))
_OVERRIDES = click.argument("overrides", nargs=-1)
_STORAGE = click.option("--storage", default="~/.orchard/store", show_default=True, help="The store of the results.")
_TRACKING = click.option("--tracking", help="MLflow's tracking URI; default: the sweep's.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DEVICE = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Device class to plan for; default: the sweep's, else this machine's.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orchard")
def cli() -> None:
    """Run large neural-network pruning sweeps.

    SWEEP is a YAML file, or the name of one that is shipped: `orchard sweeps`.
    OVERRIDES change single values of it: seeds=[0,1] methods.l1.compressions=[0.2]
    or many at once, from a YAML file that maps dotted paths to values: @small.yaml
    """


@cli.command()
@_SWEEP
@_OVERRIDES
@_JSON
@_DEVICE
@click.option("--show", is_flag=True, help="Print the sweep as it would run instead: every default filled in, as YAML.")
def plan(sweep: str, overrides: tuple[str, ...], as_json: bool, device: str | None, show: bool) -> None:
    """Show the tasks of a sweep by stage.

    Each with its number in total, shared, and already in the store (cache hits).
    """
    from orchestrator.commands import planning

    if show:
        planning.show_sweep(sweep, overrides)
        return
    planning.show_plan(sweep, overrides, as_json=as_json, device=device)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--network", prompt="Network", default="resnet", show_default=True, help="Name, or package.module:name.")
@click.option("--weights", prompt="Weights", default="", help="A file, or `pretrained`; empty: the network is trained.")
@click.option("--data", prompt="Data set", default="digits", show_default=True, help="Name, or package.module:name.")
@click.option("--root", prompt="Its folder", default="", help="Where the data lies; empty: nowhere.")
@click.option("--classes", type=click.IntRange(2), help="Classes that the network is built for.")
@click.option("--storage", default="~/.orchard/store", show_default=True, help="A store that every worker sees.")
def init(file: str, network: str, weights: str, data: str, root: str, classes: int | None, storage: str) -> None:
    """Write a sweep file to begin with.

    Asks for what no option says. FILE is the new file: my_sweep.yaml
    """
    from orchestrator.commands.beginning import Beginning, begin

    begin(
        file,
        Beginning(network=network, weights=weights, dataset=data, root=root, classes=classes, storage=storage),
    )


@cli.command()
def sweeps() -> None:
    """List the sweeps that are shipped.

    Where a command takes a sweep file, it takes their names, too: orchard run quickstart
    """
    from orchestrator.commands import planning

    planning.list_shipped()


@cli.command()
@_SWEEP
@click.argument("model", required=False)
@click.option("--method", help="Apply this method's `prune`, too.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value of the sweep.")
@_JSON
def groups(sweep: str, model: str | None, method: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what of the networks of a sweep can be pruned.

    Their channel groups, what is refused and why, and what `prune` in the sweep file does to each; of MODEL, or of all
    models. Networks are built and traced, nothing is trained or stored.
    """
    from orchestrator.commands import grouping

    grouping.groups(sweep, model, overrides, method=method, as_json=as_json)


@cli.command()
@_SWEEP
@_OVERRIDES
@click.option(
    "--backend",
    type=click.Choice([*BACKENDS, "simulated"]),
    default="ray",
    show_default=True,
    help="ray: the cluster at RAY_ADDRESS, else a local one; inline: this process; simulated: a virtual clock.",
)
def run(sweep: str, overrides: tuple[str, ...], backend: str) -> None:
    """Compute what is missing of a sweep.

    Logs its curves to MLflow, and prints their table.
    """
    from orchestrator.commands import running

    sys.exit(running.run(sweep, overrides, backend=backend))


@cli.command()
@_SWEEP
@_OVERRIDES
@click.option(
    "--within",
    type=click.FloatRange(min=0),
    default=DEFAULT_TOLERANCE,
    show_default=True,
    help="At most so much worse than the dense network, in the metric's unit.",
)
@click.option(
    "--method", "methods", multiple=True, help="Search this method; may be repeated. Default: all but the controls."
)
@click.option(
    "--up-to",
    type=click.FloatRange(0.01, 0.99),
    default=0.95,
    show_default=True,
    help="Try no compression above this one.",
)
@click.option("--backend", type=click.Choice([*BACKENDS]), default="ray", show_default=True, help="As for `run`.")
def search(
    sweep: str, overrides: tuple[str, ...], within: float, methods: tuple[str, ...], up_to: float, backend: str
) -> None:
    """Find the smallest network that is good enough.

    For every model and method of a sweep file, the largest compression that is about as good as the dense network.

    Bisects the compression in whole percent. What holds is decided on the validation split, by the mean over the
    seeds, in the sweep NAME-search; what was found is measured on test in the sweep NAME-found. Quality need not fall
    steadily: the tolerance holds at the compression found and not at the next higher percent, but there may be other
    such boundaries. The compressions in the file are not used.
    """
    from orchestrator.commands import searching

    sys.exit(searching.search(sweep, overrides, within=within, methods=methods, up_to=up_to, backend=backend))


@cli.command()
@click.argument("keys", nargs=-1, required=True)
@_STORAGE
@click.option("--sweep", type=click.Path(dir_okay=False), help="Search the plan of this sweep file, too.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value of that sweep.")
def explain(keys: tuple[str, ...], storage: str, sweep: str | None, overrides: tuple[str, ...]) -> None:
    """Show the parameters, result and attempts of a task.

    With two keys, the fields in which they differ.

    A unique prefix of a key is enough.
    """
    from orchestrator.commands import explaining

    if overrides and sweep is None:
        raise click.UsageError("--set needs --sweep: it changes a value of that sweep file")
    explaining.explain(keys, storage=storage, sweep=sweep, overrides=overrides)


@cli.command()
@click.argument("name")
@_STORAGE
@click.option("--out", type=click.Path(file_okay=False), default="report", show_default=True, help="Output folder.")
def report(name: str, storage: str, out: str) -> None:
    """Write figure, tables and HTML page of a sweep.

    From the store alone, of the sweep NAME or of a sweep file.
    """
    from orchestrator.commands import reporting

    reporting.report(name, storage=storage, out=out)


@cli.command()
@click.argument("name")
@_STORAGE
@requirement_options
@click.option("--pareto", is_flag=True, help="Only networks that no other one of the same model beats in everything.")
@_JSON
def best(name: str, storage: str, pareto: bool, as_json: bool, **options: Any) -> None:
    """Rank the networks of a sweep, the best first.

    Of the sweep NAME or of a sweep file; by default, the smallest that is about as good as the dense one.

    A network stands for all its seeds. Ranked by --by; without it the smallest comes first where the metric is bounded
    (--within), and the best metric where a cost or the compression is. --pareto alone bounds nothing.
    """
    from orchestrator.commands import choosing

    wanted = requirements(options)
    choosing.best(name, storage=storage, wanted=wanted, by=options["by"], pareto=pareto, as_json=as_json)


@cli.command()
@click.argument("name")
@_STORAGE
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


@cli.command()
@click.argument("name")
@click.argument("method")
@_STORAGE
@click.option("--model", help="Needed where the sweep has several models.")
@click.option("--compression", type=float, help="A measured compression; default: the largest one that all seeds have.")
def template(name: str, method: str, storage: str, model: str | None, compression: float | None) -> None:
    """Print the widths of a method as an allocation.

    The fractions that METHOD of the sweep NAME (or of a sweep file) keeps per stage.
    """
    from orchestrator.commands import reporting

    reporting.template(name, method, storage=storage, model=model, compression=compression)


@cli.command()
@click.argument("name")
@_STORAGE
@_TRACKING
@click.option("--rebuild", is_flag=True, help="Delete the sweep's runs in MLflow and log everything again.")
def sync(name: str, storage: str, tracking: str | None, rebuild: bool) -> None:
    """Update MLflow from the store.

    For the sweep NAME or for a sweep file.
    """
    from orchestrator.commands import reporting

    reporting.sync(name, storage=storage, tracking=tracking, rebuild=rebuild)


@cli.command()
@click.argument("name", required=False)
@_STORAGE
@_TRACKING
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


@cli.command()
@click.argument("name")
@selection_options
@click.option("--as", "target", required=True, metavar="MODEL[@ALIAS]", help="The registered model, and an alias.")
@_STORAGE
@_TRACKING
def register(name: str, target: str, storage: str, tracking: str | None, **options: Any) -> None:
    """Register a network in MLflow's model registry.

    One of the sweep NAME or of a sweep file.

    It runs without Orchard. Registering the same network again makes no second version.
    """
    from orchestrator.commands import registering

    asked = selection(options)
    registering.register_network(name, asked=asked, target=target, storage=storage, tracking=tracking)


@cli.command()
@click.argument("name", required=False)
@_STORAGE
@_JSON
@click.option("--watch", is_flag=True, help="Redraw until the sweep's driver has ended.")
@click.option("--retries", is_flag=True, help="List failed attempts that were retried or left to the next run.")
def status(name: str | None, storage: str, as_json: bool, watch: bool, retries: bool) -> None:
    """Show the progress of sweeps.

    Of the sweep NAME or of a sweep file; without NAME, of every sweep in the store.
    """
    from orchestrator.commands import watching

    if watch and (as_json or name is None):
        raise click.UsageError("--watch needs the NAME of one sweep, and cannot be combined with --json")
    if retries:
        if watch or name is None:
            raise click.UsageError("--retries needs the NAME of one sweep, and cannot be combined with --watch")
        watching.retries(name, storage=storage, as_json=as_json)
        return
    watching.status(name, storage=storage, as_json=as_json, watch=watch)


@cli.command()
@click.argument("task")
@_STORAGE
def logs(task: str, storage: str) -> None:
    """Print the attempts of a task, then their logs.

    TASK is its key, or the beginning of it; the newest are last.
    """
    from orchestrator.commands import watching

    watching.logs(task, storage=storage)


@cli.command()
@click.argument("name")
@_STORAGE
@click.option("--wait", is_flag=True, help="Wait until its driver has ended, at most two minutes.")
def cancel(name: str, storage: str, wait: bool) -> None:
    """Ask the driver of a sweep to stop.

    Of the sweep NAME or of a sweep file; finished results are kept.
    """
    from orchestrator.commands import watching

    sys.exit(watching.cancel(name, storage=storage, wait=wait))


@cli.command()
@_SWEEP
@_OVERRIDES
@click.option("--address", envvar="RAY_API_SERVER_ADDRESS", default="http://127.0.0.1:8265", show_default=True)
@click.option("--working-dir", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@click.option("--wait/--no-wait", default=False, help="Follow the job's output to its end.")
def submit(sweep: str, overrides: tuple[str, ...], address: str, working_dir: str, wait: bool) -> None:
    """Submit a sweep to a Ray cluster as a job."""
    from orchestrator.commands import submitting

    sys.exit(submitting.submit(sweep, overrides, address=address, working_dir=working_dir, wait=wait))


@cli.command()
@click.argument("sweep", type=click.Path(dir_okay=False), required=False)
@_OVERRIDES
@click.option(
    "--address",
    envvar="RAY_API_SERVER_ADDRESS",
    help="Dashboard of the cluster to check; default: the cluster at RAY_ADDRESS, else this machine only.",
)
@click.option("--working-dir", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@_JSON
def doctor(sweep: str | None, overrides: tuple[str, ...], address: str | None, working_dir: str, as_json: bool) -> None:
    """Check the environment before a run, and name remedies.

    Exit code 1 where a run would fail.
    """
    from orchestrator.commands import diagnosing

    sys.exit(diagnosing.diagnose(sweep, overrides, address=address, working_dir=working_dir, as_json=as_json))


@cli.command()
@_STORAGE
@click.option("--repair", is_flag=True, help="Quarantine damaged artifacts, so that they are computed again.")
def verify(storage: str, repair: bool) -> None:
    """Check every file of a store against its digest.

    Exit code 1 where an artifact is damaged.
    """
    from orchestrator.commands import maintenance

    sys.exit(maintenance.verify(storage, repair=repair))


@cli.command()
@_STORAGE
@click.option("--delete", is_flag=True, help="Delete; without this, only list what would be deleted.")
@click.option(
    "--older-than-hours",
    type=click.FloatRange(min=0),
    default=24.0,
    show_default=True,
    help="Keep what is younger: it may belong to a task that has just ended.",
)
@click.option("--forget", multiple=True, metavar="SWEEP", help="A sweep whose results may go; may be repeated.")
def gc(storage: str, delete: bool, older_than_hours: float, forget: tuple[str, ...]) -> None:
    """List what no sweep of a store needs.

    Results of former settings, leftovers of crashes.
    """
    from orchestrator.commands import maintenance

    maintenance.collect_garbage(storage, delete=delete, older_than_hours=older_than_hours, forget=forget)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `orchard` command."""
    mask_output()
    sys.path.insert(0, os.getcwd())  # so that the user's own modules are found in the working directory
    try:
        refuse_shadows(Path.cwd())
        cli.main(args=arguments, prog_name="orchard", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("interrupted; finished results are kept, and the same command continues", err=True)
        sys.exit(130)
    except BadInputError as error:
        click.echo(f"error: {mask(str(error))}", err=True)
        sys.exit(2)
    except OrchardError as error:
        click.echo(f"error: {mask(str(error))}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, a store that is away
        click.echo(f"error: {mask(str(error))}; finished results are kept, and the same command continues", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
