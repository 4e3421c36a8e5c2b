"""Commands on a whole store: is it intact, what may go."""

import sys

import click

from orchestrator.cli.options import STORAGE


@click.command()
@STORAGE
@click.option("--repair", is_flag=True, help="Quarantine damaged artifacts, so that they are computed again.")
def verify(storage: str, repair: bool) -> None:
    """Check every file of a store against its digest.

    Exit code 1 where an artifact is damaged.
    """
    from orchestrator.commands import maintenance

    sys.exit(maintenance.verify(storage, repair=repair))


@click.command()
@STORAGE
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
