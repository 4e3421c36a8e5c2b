"""Arguments and options that several commands have."""

import click

SWEEP = click.argument("sweep", type=click.Path(dir_okay=False))
OVERRIDES = click.argument("overrides", nargs=-1)
STORAGE = click.option("--storage", default="~/.orchard/store", show_default=True, help="The store of the results.")
TRACKING = click.option("--tracking", help="MLflow's tracking URI; default: the sweep's.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
DEVICE = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Device class to plan for; default: the sweep's, else this machine's.",
)
