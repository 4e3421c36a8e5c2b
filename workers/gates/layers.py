"""The empty-layer gate: every layer has to keep at least one channel."""

from torch import nn

from jobs.errors import BadNetworkError


def check_layers(model: nn.Module) -> None:
    """Refuse a network with an empty parameter.

    Raises:
        BadNetworkError: Some parameter has no element.
    """
    empty = [name for name, parameter in model.named_parameters() if not parameter.numel()]
    if empty:
        raise BadNetworkError(
            f"{', '.join(empty)} have no elements: the layers are empty; set a `floor` or ask for less compression"
        )
