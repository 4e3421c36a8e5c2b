"""Stage `apply`: a protocol of the user's own, applied to a network that was made smaller."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from jobs.identity import Json
from workers.data import Split
from workers.network import network_files, read_masks, read_network
from workers.protocols import Protocol, Subject, find_protocol
from workers.sparsity import masked
from workers.stages._base import Context, Product
from workers.stages._data import read_data
from workers.stages._learning import spent
from workers.training import training_macs


def run(context: Context) -> Product:
    """Apply a protocol to a network.

    Params: `protocol`, `source` (fingerprint of its module), `arguments`, `needs` (as the sweep says), `seed`; `data`
    where it looks at images. The role `dense`, where it needs it, is the model's own network.

    Measures what the network's own task measured; where it trained, what was spent since the model's own weights.

    Raises:
        BadInputError: It needs other things than the sweep says, trained on images that it does not need, or left
            tensors of other names, shapes or types.
        BadNumericsError: A tensor is not finite.
    """
    params = context.params
    where, protocol = f"protocol '{params['protocol']}'", find_protocol(params["protocol"], params["arguments"])
    if set(protocol.needs) != set(params["needs"]):
        raise BadInputError(f"{where}: needs {list(protocol.needs)}; the sweep says `needs: {params['needs']}`")
    module, recipe = read_network(context)
    before = _kinds(module.state_dict())
    samples = protocol(_subject(context, protocol, module), **params["arguments"])
    state, masks = module.state_dict(), read_masks(context)
    if changed := sorted(dict(before.items() ^ _kinds(state).items())):
        raise BadInputError(
            f"{where}: names, shapes or types of tensors changed ({', '.join(changed)}); leave them as they are"
        )
    if samples and "data" not in params:
        raise BadInputError(f"{where}: says that it trained on {samples} images; add 'images' to its needs")
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise BadNumericsError(f"{where}: left {', '.join(broken)} not finite")
    return Product(
        measurements={**context.measured("network"), **_spent(context, samples)},
        files=network_files(recipe, masked(state, masks), masks),
    )


def _subject(context: Context, protocol: Protocol, module: torch.nn.Module) -> Subject:
    def poll() -> None:
        if context.should_stop():
            raise CancelledError("a protocol stopped on request")

    subject = Subject(module=module, device=context.device, generator=context.generator("protocol"), poll=poll)
    if "data" in context.params:
        data, labelled = read_data(context), "labels" in protocol.needs
        subject = replace(
            subject,
            train=lambda: data.train if labelled else _unlabelled(data.train),
            validation=lambda: data.validation if labelled else _unlabelled(data.validation),
        )
    return replace(subject, dense=lambda: read_network(context, "dense")[0]) if "dense" in protocol.needs else subject


def _unlabelled(split: Split) -> Split:
    return replace(split, labels=torch.full_like(split.labels, -1))


def _kinds(state: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in state.items()}


def _spent(context: Context, samples: int) -> dict[str, Json]:
    measured = context.measured("network")
    if not samples:
        return spent(measured)
    own = {
        "training_epochs": samples / len(read_data(context).train),
        "training_macs": training_macs(measured["macs"], samples),
    }
    return spent(measured, own)
