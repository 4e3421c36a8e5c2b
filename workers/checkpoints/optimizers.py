"""The state of an optimizer as named tensors.

For optimizers whose state is a mapping of tensors per parameter, as that of torch's own SGD and Adam. Hyperparameters
such as the learning rate are up to the caller.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from workers.checkpoints.progress import UnfitProgressError


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """`INDEX.NAME` -> tensor, e.g. `0.momentum_buffer`; the index counts through all parameter groups."""
    return {
        f"{index}.{name}": value
        for index, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give a fresh optimizer the state that `optimizer_tensors` took from one like it.

    Raises:
        UnfitProgressError: It is of other parameters; the optimizer is as it was.
    """
    parameters = _parameters(optimizer)
    memory: dict[Tensor, dict[str, Tensor]] = {}
    on_device = {id(each) for group in optimizer.param_groups if group.get("fused") for each in group["params"]}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise UnfitProgressError(f"its optimizer has '{key}'; there are {len(parameters)} parameters")
        parameter = parameters[int(index)]
        if tensor.ndim and tensor.shape != parameter.shape:
            raise UnfitProgressError(
                f"its optimizer has '{key}' as {tuple(tensor.shape)}; {tuple(parameter.shape)} fits"
            )
        memory.setdefault(parameter, {})[name] = _placed(tensor, parameter, id(parameter) in on_device)
    for parameter, entries in memory.items():
        optimizer.state[parameter] = entries


def _placed(tensor: Tensor, parameter: Tensor, on_device: bool) -> Tensor:
    """A moment has the memory format of its parameter, so that the same kernels run.

    A step counter is on the CPU, or, where fused kernels read it, on the device.
    """
    if tensor.shape != parameter.shape:
        return tensor.to(parameter.device) if on_device else tensor.clone()
    return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
