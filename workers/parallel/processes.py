"""Several processes that train one network together: what each takes of a batch, and what they bring together.

All hold the same weights. Each computes the gradient of its own samples; the weighted mean of these is the gradient of
the whole batch, and with it every process takes the same step.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.distributed import HashStore  # type: ignore[attr-defined]  # it is public

from jobs.identity import content_key
from workers.parallel.meeting import Meeting
from workers.parallel.whole_batch import WholeBatchNorm

Value = TypeVar("Value")

_PATIENCE = timedelta(days=1)
"""How long a process waits for the others, which may wait for an evaluation. Whether they live is watched elsewhere."""

_JOINING = timedelta(minutes=5)
"""How long the first process waits for the others to join: it begins when they are about to, and nobody watches yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process takes of a batch.

    Attributes:
        samples: Samples of the whole batch.
        taken: Those that this process takes.
        factor: Its part of the batch's samples times the number of processes: the mean over the processes of their
            losses, each times its factor, is the loss of the batch.
        alone: Whether the process computes with the whole batch by itself.
    """

    samples: int
    taken: slice
    factor: float
    alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The processes of a training, seen from one of them. By default it is the only one.

    Attributes:
        number: Which one this is, from 0; the first one decides, evaluates and keeps checkpoints.
        size: How many there are.
    """

    number: int = 0
    size: int = 1

    def share(self, samples: int) -> Share:
        """This process's share of a batch; shares differ by one sample at most.

        A batch of fewer samples than processes is taken whole by each.
        """
        if self.size == 1 or samples < self.size:
            return Share(samples=samples, taken=slice(0, samples), factor=1.0, alone=True)
        begin, end = (samples * number // self.size for number in (self.number, self.number + 1))
        return Share(samples=samples, taken=slice(begin, end), factor=self.size * (end - begin) / samples, alone=False)

    def taken(self, samples: int) -> slice:
        """The samples of its share."""
        return self.share(samples).taken

    def norms(self, share: Share) -> AbstractContextManager[object]:
        """Batch norms within take the statistics of the whole batch, from the shares of all processes."""
        return nullcontext() if share.alone else WholeBatchNorm()

    def average(self, learnt: Sequence[Tensor], loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Replace the gradients by their mean over the processes.

        A tensor without a gradient keeps none, unless another process has one for it.

        Args:
            learnt: The tensors that gradients reach, the same in every process.
            loss: A loss.

        Returns:
            The mean of the loss.
        """
        if self.size == 1:
            return loss
        present = torch.tensor([float(each.grad is not None) for each in learnt], device=loss.device)
        numbers = torch.cat([loss.detach().float().view(1), present])
        parts = [torch.zeros_like(each) if each.grad is None else each.grad for each in learnt]
        everything = [numbers, *parts]
        for dtype in dict.fromkeys(each.dtype for each in everything):  # in the same order everywhere
            self._average_together([each for each in everything if each.dtype == dtype])
        lacking = [index for index, each in enumerate(learnt) if each.grad is None]
        anywhere = (numbers[1:] > 0).tolist() if lacking else []  # waits for a GPU, so only where it has to
        for index in lacking:
            if anywhere[index]:
                learnt[index].grad = parts[index]
        return numbers[0]

    def _average_together(self, tensors: Sequence[Tensor]) -> None:
        """Average tensors of one type, in place, in one message."""
        flat = torch.cat([each.reshape(-1) for each in tensors])
        distributed.all_reduce(flat)
        flat /= self.size
        for each, mean in zip(tensors, flat.split([each.numel() for each in tensors]), strict=True):
            each.copy_(mean.view(each.shape))

    def agreed(self, make: Callable[[], Value]) -> Value:
        """What the first process makes; the others get it from that one."""
        if self.size == 1:
            return make()
        made: list[Value | None] = [make() if self.number == 0 else None]
        distributed.broadcast_object_list(made, src=0, device=torch.device("cpu"))
        return made[0]  # type: ignore[return-value]  # received now

    def draw_apart(self, generators: Iterable[torch.Generator]) -> None:
        """Seed the generators of dropout anew, from their own next draw, in all processes but the first."""
        for each in generators if self.number else ():
            drawn = int(torch.randint(2**62, (), generator=each, device=each.device))
            each.manual_seed(int(content_key([drawn, self.number])[:15], 16))


ALONE = Processes()


@contextmanager
def alone() -> Iterator[Processes]:
    """No other process is joined."""
    yield ALONE


@contextmanager
def joined(number: int, size: int, *, meeting: Meeting, device: torch.device) -> Iterator[Processes]:
    """Join the other processes of a training; until then it waits for them.

    Args:
        number: Which process this is, from 0; the first one comes when all others are about to join.
        size: How many there are.
        meeting: Where they meet: see `meeting`.
        device: Where this one computes.
    """
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "cpu:gloo"
    until_joined = _PATIENCE if number else _JOINING
    try:
        distributed.init_process_group(backend, store=meeting, rank=number, world_size=size, timeout=until_joined)
    except Exception:
        _count_groups_anew()
        raise
    group = distributed.group.WORLD
    assert group is not None  # it was made just now
    try:
        group.set_timeout(_PATIENCE)
        yield Processes(number=number, size=size)
    finally:
        group.abort()  # a farewell might wait for processes that are gone
        distributed.destroy_process_group()


def _count_groups_anew() -> None:
    """Let torch number its groups from 0 again.

    The number is part of the addresses' keys, and a group that could not be made is counted: without this, the process
    would look for the others of its next try, which are new processes, where they are not.
    """
    distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    distributed.destroy_process_group()
