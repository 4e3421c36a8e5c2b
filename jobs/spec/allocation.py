"""How much of which channel group goes."""

from typing import Annotated, Literal

from pydantic import Field

Allocation = Annotated[
    Literal["uniform", "least-error"],
    Field(
        description="How much of which group goes. `uniform`: the same fraction of each; `least-error`: where the "
        "weights change least per parameter saved."
    ),
]
