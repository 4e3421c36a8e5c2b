"""The integral network: a module whose channels are functions, which Algorithm 1 trains and any size is sampled from.

Sizes are drawn by `sizes`; data and optimizers are up to the training loop.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from workers.channels import ChannelMap, attached_buffers, load_resized
from workers.integral.conversion import FitMethod, convert, uniform_nodes
from workers.integral.kernels import CUBIC, Kernel
from workers.integral.quadrature import Quadrature, midpoint
from workers.integral.sampling import Sampling
from workers.integral.statistics import Statistics


class IntegralNetwork(nn.Module):
    """An ordinary network with functions in the place of channels, run at a partition that can be changed.

    Its parameters are the coefficients of the functions, under the network's own names with the prefix `functions.`; as
    long as there are as many as channels, they are the network's parameters. Batch norms that were not folded are
    sampled, too: scale and shift are functions on the group's axis like biases.

    In training mode every forward pass computes the weights from the coefficients, so that gradients reach these. In
    evaluation mode the weights are cached until a coefficient, a statistic or the partition changes. (Writes through
    `.data` are not noticed until the mode changes.)

    Batch norms use their batch in training mode. Their running statistics are functions, too: changes at the samples
    are mapped to their coefficients (`statistics`). A norm that was put into evaluation mode
    (`network.functions.get_submodule(name).eval()`) uses sampled statistics.

    Args:
        module: The network, its channels in the order in which they are samples of functions. It is copied.
        channel_map: Its channel groups.
        sizes: Group name -> number of coefficients; groups that are not named stay discrete. By default all groups
            whose channels can be mixed are continuous, with as many coefficients as channels.
        kernel: For the output axes.
        quadrature: For the input axes; a `Sampled` one should be given the same kernel.
        method: How coefficients are fitted where there are more or fewer than channels.

    Raises:
        ValueError: A group is unknown, has channels that cannot be mixed, or is to have less than one coefficient.
    """

    def __new__(cls, *args: object, **kwargs: object) -> IntegralNetwork:
        """Also for copies and what is unpickled."""
        _stay_uncompiled()
        return super().__new__(cls)

    def __init__(
        self,
        module: nn.Module,
        channel_map: ChannelMap,
        *,
        sizes: Mapping[str, int] | None = None,
        kernel: Kernel = CUBIC,
        quadrature: Quadrature = midpoint,
        method: FitMethod = "least-squares",
    ) -> None:
        super().__init__()
        unmixable = {group.name: group.unmixable for group in channel_map.groups if group.unmixable}
        if sizes is None:
            sizes = {name: width for name, width in channel_map.widths().items() if name not in unmixable}
        if wrong := [name for name in sizes if name in unmixable]:
            raise ValueError(f"group {wrong[0]!r} cannot be continuous: {unmixable[wrong[0]]}")
        state = module.state_dict()
        converted = convert(state, channel_map, sizes=sizes, kernel=kernel, quadrature=quadrature, method=method)
        self.functions = copy.deepcopy(module)
        load_resized(self.functions, converted.state)
        self.training = module.training
        self.channel_map = channel_map
        self._coefficients = converted.channel_map
        self._kernel, self._quadrature = kernel, quadrature
        self._nodes = {name: uniform_nodes(channel_map.widths()[name]) for name in sizes}
        self._sampling: Sampling | None = None
        self._statistics: Statistics | None = None
        self._shell: tuple[nn.Module, ...] = ()  # in a tuple, so that it is no submodule
        self._kept: tuple[object, nn.Module] | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """Samples of every continuous group at the present partition."""
        return {name: len(nodes) for name, nodes in self._nodes.items()}

    def resize(self, partition: Mapping[str, int | Float[Tensor, " m"]]) -> None:
        """Set the partition that the network runs at. Coefficients stay as they are.

        Args:
            partition: Group name -> size of a uniform partition, or nodes in ascending order within [0, 1]; at most as
                many as the group has channels. Groups that are not named keep theirs.

        Raises:
            ValueError: A group is not continuous, or its partition is not of that form. Nothing is changed.
        """
        chosen = {name: self._checked(name, wanted) for name, wanted in partition.items()}
        self._nodes.update(chosen)
        self._sampling, self._statistics, self._shell, self._kept = None, None, (), None

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        """The network's output for a batch, at the present partition; it is called with what the network takes."""
        if not self.training:
            return self._materialised()(*args, **kwargs)
        shell, tensors, before = self._training_step()
        result = functional_call(shell, tensors, args, kwargs)
        self._update_statistics(before, tensors)
        return result

    def export(self) -> nn.Module:
        """An ordinary network of the present size, in the same mode; it shares no tensors with this one."""
        exported = self._made()
        exported.train(self.training)
        return exported

    def train(self, mode: bool = True) -> IntegralNetwork:
        """Set the mode, as `nn.Module.train` does; weights that were kept for evaluation are dropped."""
        self._kept = None
        super().train(mode)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """The state without caches."""
        return {**self.__dict__, "_sampling": None, "_statistics": None, "_shell": (), "_kept": None}

    def _checked(self, name: str, wanted: int | Tensor) -> Tensor:
        if name not in self._nodes:
            known = ", ".join(self._nodes) or "none"
            raise ValueError(f"group {name!r} is not continuous; continuous groups: {known}")
        width = self.channel_map.widths()[name]
        size = len(wanted) if isinstance(wanted, Tensor) and wanted.ndim == 1 else wanted
        if not isinstance(size, int) or not 1 <= size <= width:
            raise ValueError(f"group {name!r}: size {size}; whole numbers from 1 to {width} are allowed")
        if not isinstance(wanted, Tensor):
            return uniform_nodes(size)
        nodes = wanted.detach().double().cpu()
        if bool((nodes.diff() <= 0).any()) or float(nodes[0]) < 0 or float(nodes[-1]) > 1:
            raise ValueError(f"group {name!r}: nodes {nodes.tolist()}; they have to rise within [0, 1]")
        return nodes

    def _training_step(self) -> tuple[nn.Module, dict[str, Tensor], dict[str, Tensor]]:
        """The network without tensors, in the modes of the functions; the tensors; the statistics before the pass."""
        sampling = self.prepare()
        if not self._shell:
            self._shell = (_shell(self.functions, sampling.shapes),)
        for own, other in zip(self.functions.modules(), self._shell[0].modules(), strict=True):
            other.training = own.training
        tensors = self._sampled()
        before = {name: tensors[name].detach().clone() for name in self._statistics_at_samples().names}
        return self._shell[0], tensors, before

    @torch.no_grad()
    def _update_statistics(self, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
        """Map the changes of the running statistics in a forward pass to their functions.

        A variance never falls below its value after a batch of zero variance.
        """
        for name, old in before.items():
            own = self.functions.get_buffer(name)
            if after[name] is own:
                continue  # changed in place by the forward pass
            changed = own + self._statistics_at_samples()(name, after[name] - old).to(own.dtype)
            if name.endswith("running_var"):
                weight = _batch_weight(self.functions.get_submodule(name.rpartition(".")[0]))
                changed = torch.maximum(changed, (1 - weight) * own)
            own.copy_(changed)

    def _materialised(self) -> nn.Module:
        """The cached ordinary network of the present size in evaluation mode."""
        tensors = _tensors(self.functions).values()
        stamp = [(id(each), each.data_ptr(), each._version, each.dtype, each.device) for each in tensors]
        if self._kept is None or self._kept[0] != stamp:
            self._kept = (stamp, self._made().eval())
        return self._kept[1]

    @torch.no_grad()
    def _made(self) -> nn.Module:
        state, sampled = self.functions.state_dict(keep_vars=True), self._sampled()
        made = copy.deepcopy(self.functions, {id(tensor): tensor for tensor in state.values()})  # not copied twice
        load_resized(made, {name: sampled[name] for name in state})
        return made

    def _sampled(self) -> dict[str, Tensor]:
        """All tensors of the network at the present partition; a tensor with several names is one."""
        tensors = _tensors(self.functions)
        first = {id(tensor): name for name, tensor in reversed(tensors.items())}
        made = self.prepare()({name: tensors[name] for name in first.values()})
        return {name: made[first[id(tensor)]] for name, tensor in tensors.items()}

    def prepare(self) -> Sampling:
        """Compute all that depends on the partition alone, now rather than at the next forward pass."""
        device = next(iter(_tensors(self.functions).values())).device
        if self._sampling is None or self._sampling.device != device:
            self._statistics = None
            self._sampling = Sampling(
                self.channel_map,
                self._coefficients,
                self._nodes,
                kernel=self._kernel,
                quadrature=self._quadrature,
                device=device,
            )
        return self._sampling

    def _statistics_at_samples(self) -> Statistics:
        sampling = self.prepare()
        if self._statistics is None:
            self._statistics = Statistics(sampling.sampled, self._coefficients, self._nodes, sampling.device)
        return self._statistics


def _batch_weight(norm: nn.Module) -> float:
    """Weight of the last batch in a norm's running statistics; 1 for a user's own norm without momentum."""
    momentum: float | None = getattr(norm, "momentum", None)
    batches: Tensor | None = getattr(norm, "num_batches_tracked", None)
    if momentum is None:
        return 1.0 if batches is None else 1 / max(1, int(batches))
    return momentum


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers under all their names, also buffers that are no part of the state, unless they follow."""
    parameters, follow = module.named_parameters(remove_duplicate=False), attached_buffers(module)
    buffers = {name: each for name, each in module.named_buffers(remove_duplicate=False) if name not in follow}
    return {**dict(parameters), **buffers}


@cache
def _stay_uncompiled() -> None:
    """Keep `torch.compile` out of the methods that compute weights, with the first network of a process.

    Decorators would import the compiler with this module, which takes seconds that most processes have no need of.
    """
    for method in (IntegralNetwork._training_step, IntegralNetwork._update_statistics, IntegralNetwork._materialised):
        setattr(IntegralNetwork, method.__name__, torch.compiler.disable(method))


def _shell(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """A copy of a module at other sizes, on the meta device."""
    memo: dict[int, Any] = {}
    state = module.state_dict(keep_vars=True)
    for tensor in state.values():
        empty = torch.empty_like(tensor, device="meta", requires_grad=False)
        parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, requires_grad=tensor.requires_grad) if parameter else empty
    shell = copy.deepcopy(module, memo)
    load_resized(shell, {name: memo[id(tensor)].new_empty(shapes[name]) for name, tensor in state.items()})
    return shell
