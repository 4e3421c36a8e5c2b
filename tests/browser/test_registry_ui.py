"""A registered network as the pages of MLflow's model registry show it."""

import pytest
import torch
from browsing import MARKS, keep_screenshot, open_page
from servers import mlflow_server
from torch import nn
from tracked_curves import log, make_curve

from orchestrator.tracking.address import version_address
from orchestrator.tracking.registry import Entry, ModelName, register

pytestmark = MARKS

CURVE = make_curve()
CARD = """# net/l1 at 20 %

A network of the sweep quick, made by Orchard.

| | |
|---|---|
| data set | digits |

```yaml
name: quick
```
"""


@pytest.fixture
def server(database):
    """A database with a network that is registered, and MLflow's server on it."""
    torch.manual_seed(0)
    log(database, CURVE, ended=True)
    entry = Entry(
        sweep="quick",
        store_id=None,
        curve=CURVE.plan,
        point=CURVE.points[0],
        module=nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval(),
        input_shape=(1, 8, 8),
        card=CARD,
    )
    register(entry, ModelName(name="small digits", alias="champion"), tracking_uri=database)
    with mlflow_server(database) as address:
        yield address


def test_its_page_has_name_version_alias_tags_card_and_its_run(server):
    with open_page() as page:
        page.goto(version_address(server, "small digits", "1"))
        page.get_by_role("heading", name="net/l1 at 20 %").wait_for()  # the card, rendered
        for words in (
            "small digits",
            "Version 1",
            "champion",
            "made by Orchard",
            "orchard.compression",
            "net/l1/seed0",
        ):
            page.get_by_text(words).first.wait_for()  # the page asks for them one after the other
        keep_screenshot(page, "mlflow-registered-version.png")
