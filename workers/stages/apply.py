"""Stage `apply`: applies a protocol of the user's own to a pruned network."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.measured import count
from jobs.stages.finishing import ApplyParams
from workers.network import StoredNetwork, network_files
from workers.protocols import Protocol, Subject, find_protocol
from workers.sparsity import masked
from workers.stages._base import Context, Product
from workers.stages._finite import check_finite
from workers.stages._images import read_data
from workers.stages._learning import spent
from workers.training import training_macs


def run(context: Context[ApplyParams]) -> Product:
    """Apply a protocol to a network.

    Measures what the network's own task measured, and the training cost.

    Raises:
        BadInputError: It has other needs than the sweep file says, trained on images without declaring them, or
            changed names, shapes or types of tensors.
        BadNumericsError: A tensor is not finite.
    """
    params, network = context.params, context.network(context.params.network)
    where, protocol = f"protocol '{params.protocol}'", find_protocol(params.protocol, params.arguments)
    if set(protocol.needs) != set(params.needs):
        raise BadInputError(f"{where}: needs {list(protocol.needs)}; the sweep says `needs: {list(params.needs)}`")
    module = network.module(context.device)
    before = _kinds(module.state_dict())
    samples = protocol(_subject(context, protocol, module), **params.arguments)
    state = module.state_dict()
    if changed := sorted(dict(before.items() ^ _kinds(state).items())):
        raise BadInputError(
            f"{where}: names, shapes or types of tensors changed ({', '.join(changed)}); leave them as they are"
        )
    if samples and params.data is None:
        raise BadInputError(f"{where}: says that it trained on {samples} images; add 'images' to its needs")
    check_finite(state, what=f"{where}: after it,", advice="look for a division by zero or an overflow in it")
    return Product(
        measurements={**network.measured, **_spent(context, network, samples)},
        files=network_files(network.recipe, masked(state, network.masks), network.masks),
    )


def _subject(context: Context[ApplyParams], protocol: Protocol, module: torch.nn.Module) -> Subject:
    params = context.params
    subject = Subject(module=module, device=context.device, generator=context.generator("protocol"), poll=context.poll)
    if params.data is not None:
        data, labelled = read_data(context, params.data), "labels" in protocol.needs
        subject = replace(
            subject,
            train=lambda: data.train if labelled else data.train.without_targets(),
            validation=lambda: data.validation if labelled else data.validation.without_targets(),
        )
    if params.dense is not None:
        dense = context.network(params.dense)
        subject = replace(subject, dense=lambda: dense.module(context.device))
    return subject


def _kinds(state: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in state.items()}


def _spent(context: Context[ApplyParams], network: StoredNetwork, samples: int) -> dict[str, Json]:
    if not samples or context.params.data is None:
        return spent(network.measured)
    own = {
        "training_epochs": samples / len(read_data(context, context.params.data).train),
        "training_macs": training_macs(count(network.measured, "macs"), samples),
    }
    return spent(network.measured, own)
