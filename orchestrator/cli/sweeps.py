"""Commands on sweep files: write one, look at it, run it."""

import sys

import click

from orchestrator.backends import BACKENDS
from orchestrator.cli.options import DEVICE, JSON, OVERRIDES, SWEEP
from orchestrator.commands.selecting import DEFAULT_TOLERANCE


@click.command()
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


@click.command()
def sweeps() -> None:
    """List the sweeps that are shipped.

    Where a command takes a sweep file, it takes their names, too: orchard run quickstart
    """
    from orchestrator.commands import planning

    planning.list_shipped()


@click.command()
@SWEEP
@OVERRIDES
@JSON
@DEVICE
@click.option("--show", is_flag=True, help="Print the sweep as it would run instead: every default filled in, as YAML.")
@click.option("--cost", is_flag=True, help="Estimate hours by stage and node type, from what the store has seen.")
@click.option(
    "--cluster",
    type=click.Path(dir_okay=False),
    help="With --cost: the node types of this file of `ray up`; default: ./cluster.yaml, if it is there.",
)
@click.option("--price", "prices", multiple=True, metavar="NODE=USD", help="With --cost: of a node type, an hour.")
def plan(
    sweep: str,
    overrides: tuple[str, ...],
    as_json: bool,
    device: str | None,
    show: bool,
    cost: bool,
    cluster: str | None,
    prices: tuple[str, ...],
) -> None:
    """Show the tasks of a sweep by stage.

    Each with its number in total, shared, and already in the store (cache hits).
    """
    from orchestrator.commands import planning

    if (cluster or prices) and not cost:
        raise click.UsageError("--cluster and --price need --cost")
    if show:
        planning.show_sweep(sweep, overrides)
        return
    asked = planning.CostRequest(cluster=cluster, prices=prices) if cost else None
    planning.show_plan(sweep, overrides, as_json=as_json, device=device, asked=asked)


@click.command()
@SWEEP
@OVERRIDES
@click.option("--model", help="Of this model alone.")
@click.option("--method", help="Apply this method's `prune`, too.")
@JSON
def groups(sweep: str, overrides: tuple[str, ...], model: str | None, method: str | None, as_json: bool) -> None:
    """Show what of the networks of a sweep can be pruned.

    Their channel groups, what is refused and why, and what `prune` in the sweep file does to each. Networks are built
    and traced, nothing is trained or stored.
    """
    from orchestrator.commands import grouping

    grouping.groups(sweep, model, overrides, method=method, as_json=as_json)


@click.command()
@SWEEP
@OVERRIDES
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


@click.command()
@SWEEP
@OVERRIDES
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


@click.command()
@SWEEP
@OVERRIDES
@click.option("--address", envvar="RAY_API_SERVER_ADDRESS", default="http://127.0.0.1:8265", show_default=True)
@click.option("--working-dir", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@click.option("--wait/--no-wait", default=False, help="Follow the job's output to its end.")
def submit(sweep: str, overrides: tuple[str, ...], address: str, working_dir: str, wait: bool) -> None:
    """Submit a sweep to a Ray cluster as a job."""
    from orchestrator.commands import submitting

    sys.exit(submitting.submit(sweep, overrides, address=address, working_dir=working_dir, wait=wait))


@click.command()
@click.argument("sweep", type=click.Path(dir_okay=False), required=False)
@OVERRIDES
@click.option(
    "--address",
    envvar="RAY_API_SERVER_ADDRESS",
    help="Dashboard of the cluster to check; default: the cluster at RAY_ADDRESS, else this machine only.",
)
@click.option("--working-dir", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@JSON
def doctor(sweep: str | None, overrides: tuple[str, ...], address: str | None, working_dir: str, as_json: bool) -> None:
    """Check the environment before a run, and name remedies.

    Exit code 1 where a run would fail.
    """
    from orchestrator.commands import diagnosing

    sys.exit(diagnosing.diagnose(sweep, overrides, address=address, working_dir=working_dir, as_json=as_json))
