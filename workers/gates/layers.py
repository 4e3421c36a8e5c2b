"""The gate of empty layers: a network in which a layer has no channel left computes nothing."""

from torch import nn

from jobs.errors import BadNetworkError


def check_layers(model: nn.Module) -> None:
    """Refuse a network with an empty parameter.

    Raises:
        BadNetworkError: Some parameter holds no number.
    """
    empty = [name for name, parameter in model.named_parameters() if not parameter.numel()]
    if empty:
        raise BadNetworkError(
            f"{', '.join(empty)} hold no number: the layers are empty; keep a channel of each (a floor) or ask for less"
        )
