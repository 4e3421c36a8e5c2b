"""Counts the MACs of a pass, all of them and those with every weight, by its operators."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry

_LSTM_LAYER = torch.ops.aten.mkldnn_rnn_layer
"""What a CPU computes a layer of an LSTM by, in one direction; torch does not count it."""


class MacCounter(FlopCounterMode):
    """Counts the MACs of a network's pass while it is entered.

    Those with a weight are the products whose operand is the weight or a view of it, wherever the code reads it. Where
    a layer computes its weight anew in every pass, they are the layer's products that have no weight.

    Args:
        network: what runs, itself.
    """

    def __init__(self, network: nn.Module) -> None:
        formulas = {operator: self._noting(flops) for operator, flops in flop_registry.items()}
        super().__init__(display=False, custom_mapping={**formulas, _LSTM_LAYER: _of_tensors(self._lstm_layer)})
        weights = {name: each for name, each in network.named_parameters() if each.ndim > 1}
        self._sizes = {name: each.numel() for name, each in weights.items()}
        self._names = {each.untyped_storage(): name for name, each in weights.items()}
        self._root = type(network).__name__
        self._with_weights = Counter[str]()
        self._without = Counter[str]()

    @property
    def total(self) -> int:
        """All MACs."""
        return int(self.get_total_flops()) // 2

    def with_weight(self, name: str) -> int:
        """Those with a weight, by its (first) name."""
        layer, _, own = name.rpartition(".")
        computed = self._without[f"{self._root}.{layer}" if layer else self._root] if own == "weight" else 0
        return self._with_weights[name] or computed

    def applications(self, batch_size: int) -> Mapping[str, int]:
        """How often one sample is multiplied by every number of a weight, by the weight's name; of any that was read.

        On an average, rounded, where only slices of it are read, such as those of an attention layer's projections.

        Args:
            batch_size: samples of the pass.
        """
        macs = {name: self.with_weight(name) for name in self._sizes}
        return {
            name: round(each / batch_size / self._sizes[name])
            for name, each in macs.items()
            if each or name in self._with_weights
        }

    def _noting(self, flops: Callable[..., int]) -> Callable[..., int]:
        def counted(*args: Any, **kwargs: Any) -> int:
            found = flops(*args, **kwargs)
            self._note(args, found // 2)
            return found

        return _of_tensors(counted)

    def _note(self, operands: Sequence[Any], macs: int) -> None:
        """Of several weights the last one counts: that of a layer, also where its input is stored, too."""
        tensors = [each for each in operands if isinstance(each, Tensor) and each.ndim > 1]
        read = [name for name in (self._names.get(each.untyped_storage()) for each in tensors) if name]
        if read:
            self._with_weights[read[-1]] += macs
        else:
            self._without[max(self.mod_tracker.parents - {"Global"}, key=len, default="")] += macs

    def _lstm_layer(self, source: Tensor, of_input: Tensor, of_state: Tensor, *_: Any, **__: Any) -> int:
        places = math.prod(source.shape[:-1])
        for weight in (of_input, of_state):
            self._note([weight], places * weight.numel())
        return 2 * places * (of_input.numel() + of_state.numel())


def _of_tensors(formula: Callable[..., int]) -> Callable[..., int]:
    """Has torch give a formula the tensors, not their shapes."""

    @wraps(formula)
    def raw(*args: Any, **kwargs: Any) -> int:
        return formula(*args, **kwargs)

    vars(raw)["_get_raw"] = True
    return raw
