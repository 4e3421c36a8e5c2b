"""Commands on runs and their tasks: where they stand, what happened, end one."""

import sys

import click

from orchestrator.cli.options import JSON, STORAGE


@click.command()
@click.argument("name", required=False)
@STORAGE
@JSON
@click.option("--watch", is_flag=True, help="Redraw until its driver has ended; first wait for it.")
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


@click.command()
@click.argument("task")
@STORAGE
def logs(task: str, storage: str) -> None:
    """Print the attempts of a task, then their logs.

    TASK is its key, or the beginning of it; the newest are last.
    """
    from orchestrator.commands import watching

    watching.logs(task, storage=storage)


@click.command()
@click.argument("name")
@STORAGE
@click.option("--wait", is_flag=True, help="Wait until its driver has ended, at most two minutes.")
def cancel(name: str, storage: str, wait: bool) -> None:
    """Ask the driver of a sweep to stop.

    Of the sweep NAME or of a sweep file; finished results are kept.
    """
    from orchestrator.commands import watching

    sys.exit(watching.cancel(name, storage=storage, wait=wait))


@click.command()
@click.argument("keys", nargs=-1, required=True)
@STORAGE
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
