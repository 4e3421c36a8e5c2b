"""The `orchard` command: parses arguments and sets exit codes; the work is done in `orchestrator.commands`.

Exit codes: 0 all results are in the store; 1 a task failed; 2 the input cannot be used; 3 a run was stopped before its
end (cancelled, out of budget, terminated) and the same command continues it. Heavy modules are imported by the command
that needs them, so that `orchard plan` starts fast.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from jobs.errors import BadInputError, OrchardError, StoppedError
from jobs.secrets import mask
from orchestrator.cli import results, runs, stores, sweeps
from orchestrator.masked_output import mask_output
from orchestrator.shadowing import refuse_shadows

_COMMANDS = (
    sweeps.plan,
    sweeps.init,
    sweeps.sweeps,
    sweeps.groups,
    sweeps.run,
    sweeps.search,
    runs.explain,
    results.report,
    results.best,
    results.leaderboard,
    results.export,
    results.template,
    results.sync,
    results.ui,
    results.register,
    runs.status,
    runs.logs,
    runs.cancel,
    sweeps.submit,
    sweeps.doctor,
    stores.verify,
    stores.gc,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orchard")
def cli() -> None:
    """Run large neural-network pruning sweeps.

    SWEEP is a YAML file, or the name of one that is shipped: `orchard sweeps`.
    OVERRIDES change single values of it: seeds=[0,1] methods.l1.compressions=[0.2]
    or many at once, from a YAML file that maps dotted paths to values: @small.yaml
    """


for each in _COMMANDS:
    cli.add_command(each)


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
    except StoppedError as error:
        click.echo(f"stopped: {mask(str(error))}", err=True)
        sys.exit(error.exit_code)
    except OrchardError as error:
        click.echo(f"error: {mask(str(error))}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, a store that is away
        click.echo(f"error: {mask(str(error))}; finished results are kept, and the same command continues", err=True)
        sys.exit(1)
