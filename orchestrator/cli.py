"""The `orchard` command. Parses arguments, prints, and sets exit codes; all work is done elsewhere.

Exit codes: 0 all wanted results are there; 1 some task failed; 2 the input cannot be used; 3 a run was stopped before
its end (cancelled, out of budget, told to end) and the same command goes on. Heavy modules are imported in the command
that needs them, so that `orchard plan` answers at once.
"""

import logging
import os
import sys
from collections.abc import Sequence

import click

from jobs.errors import BadInputError, OrchardError

_SWEEP = click.argument("sweep", type=click.Path(dir_okay=False))
_OVERRIDES = click.argument("overrides", nargs=-1)
_DEVICE = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Device class to plan for; default: the sweep's, else this machine's.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orchard")
def cli() -> None:
    """Run large neural-network pruning sweeps.

    SWEEP is a YAML file; OVERRIDES change single values of it: seeds=[0,1] methods.l1.compressions=[0.2]
    """


@cli.command()
@_SWEEP
@_OVERRIDES
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@_DEVICE
def plan(sweep: str, overrides: tuple[str, ...], as_json: bool, device: str | None) -> None:
    """Show the tasks of a sweep by stage: how many, how many shared, how many already in the store."""
    from orchestrator.commands import planning

    planning.show_plan(sweep, overrides, as_json=as_json, device=device)


@cli.command()
@_SWEEP
@_OVERRIDES
@click.option(
    "--backend",
    type=click.Choice(["ray", "inline", "simulated"]),
    default="ray",
    show_default=True,
    help="ray: the cluster at RAY_ADDRESS, else a local one; inline: this process; simulated: a virtual clock.",
)
def run(sweep: str, overrides: tuple[str, ...], backend: str) -> None:
    """Compute what is missing of a sweep, log its curves to MLflow, print their table."""
    from orchestrator.commands import running

    sys.exit(running.run(sweep, overrides, backend=backend))


@cli.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--storage", default="~/.orchard/store", show_default=True, help="The store to look in.")
@click.option("--sweep", type=click.Path(dir_okay=False), help="Look in this sweep's plan too.")
def explain(keys: tuple[str, ...], storage: str, sweep: str | None) -> None:
    """Tell what the task KEY is; with two keys, in which fields they differ. A key's beginning will do."""
    from orchestrator.commands import explaining

    explaining.explain(keys, storage=storage, sweep=sweep)


@cli.command()
@click.argument("name")
@click.option("--storage", default="~/.orchard/store", show_default=True, help="The store that has the sweep.")
@click.option(
    "--out", type=click.Path(file_okay=False), default="report", show_default=True, help="Folder to write to."
)
def report(name: str, storage: str, out: str) -> None:
    """Write figure, table and page of the sweep NAME (or of a sweep file) from the store alone."""
    from orchestrator.commands import reporting

    reporting.report(name, storage=storage, out=out)


@cli.command()
@click.argument("name")
@click.option("--storage", default="~/.orchard/store", show_default=True, help="The store that has the sweep.")
@click.option("--tracking", help="MLflow's tracking URI; default: the sweep's.")
def sync(name: str, storage: str, tracking: str | None) -> None:
    """Bring MLflow up to what the store has of the sweep NAME (or of a sweep file)."""
    from orchestrator.commands import reporting

    reporting.sync(name, storage=storage, tracking=tracking)


@cli.command()
@_SWEEP
@_OVERRIDES
@click.option("--address", envvar="RAY_API_SERVER_ADDRESS", default="http://127.0.0.1:8265", show_default=True)
@click.option("--working-dir", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@click.option("--wait/--no-wait", default=False, help="Follow the job's output to its end.")
def submit(sweep: str, overrides: tuple[str, ...], address: str, working_dir: str, wait: bool) -> None:
    """Hand a sweep to a Ray cluster as a job."""
    from orchestrator.commands import submitting

    sys.exit(submitting.submit(sweep, overrides, address=address, working_dir=working_dir, wait=wait))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `orchard` command."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    logging.basicConfig(format="%(message)s", handlers=[handler])
    sys.path.insert(0, os.getcwd())  # a user's own networks are found where the command is given
    try:
        cli.main(args=arguments, prog_name="orchard", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("interrupted; what was finished is kept, the same command goes on from there", err=True)
        sys.exit(130)
    except BadInputError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OrchardError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
