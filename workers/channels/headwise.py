"""torch's attention with as many heads as its tensors hold, whatever the width of its input; needs torch, nothing else.

`nn.MultiheadAttention` takes the joint width of its heads from its input, so that a head can only go together with its
part of the input. The class here computes the same, but reads the number of heads off its weights. A network keeps
torch's own class as long as its shapes are those of torch's; the analysis of channels looks at this one.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional


class HeadwiseAttention(nn.MultiheadAttention):
    """Made of a `nn.MultiheadAttention` by `free_heads`, never by itself; has its tensors under its names."""

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The same as `nn.MultiheadAttention.forward`; of a causal hint the mask is used, which has to be there."""
        if is_causal and attn_mask is None:
            raise RuntimeError("is_causal needs attn_mask, as in nn.MultiheadAttention")
        batched = query.dim() == 3
        inputs = [each.unsqueeze(0) if not batched else each for each in (query, key, value)]
        if batched and not self.batch_first:
            inputs = [each.transpose(0, 1) for each in inputs]
        weights = self.in_proj_weight.chunk(3)
        biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        parts = zip(inputs, weights, biases, strict=True)
        heads = [functional.linear(*each).unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for each in parts]
        mask = _joint_mask(attn_mask, key_padding_mask, heads[0])
        result, scores = self._attend(heads, mask, need_weights)
        result = self.out_proj(result.transpose(1, 2).flatten(2))
        if batched and not self.batch_first:
            result = result.transpose(0, 1)
        if scores is not None and average_attn_weights:
            scores = scores.mean(1)
        return (result, scores) if batched else (result[0], None if scores is None else scores[0])

    def _attend(self, heads: list[Tensor], mask: Tensor | None, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        query, key, value = heads
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return functional.scaled_dot_product_attention(query, key, value, mask, dropout), None
        scores = (query * self.head_dim**-0.5) @ key.transpose(-2, -1)
        scores = functional.dropout((scores if mask is None else scores + mask).softmax(-1), dropout)
        return scores @ value, scores

    def _reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.in_proj_weight)
        if self.in_proj_bias is not None:
            nn.init.zeros_(self.in_proj_bias)
            nn.init.zeros_(self.out_proj.bias)


def _joint_mask(attention: Tensor | None, padding: Tensor | None, query: Tensor) -> Tensor | None:
    """The masks as one that is added to scores of shape (batch, heads, queries, keys); None without any."""
    masks = []
    if attention is not None:
        whole = attention.dim() == 2
        masks.append(attention if whole else attention.unflatten(0, (query.shape[0], query.shape[1])))
    if padding is not None:
        masks.append(padding.reshape(query.shape[0], 1, 1, -1))
    added = [
        torch.zeros_like(mask, dtype=query.dtype).masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else mask
        for mask in masks
    ]
    return sum(added[1:], added[0]) if added else None


def free_heads(module: nn.Module) -> None:
    """Makes the heads of all of torch's attention layers in a module independent of the width of their input.

    In place; numbers stay. Layers of other classes, also of own subclasses, stay as they are, and so do those with
    separate weights, biases of keys and values, or a further key of zeros.
    """
    for each in module.modules():
        if _is_plain(each):
            _free(each)


def follow_heads(module: nn.Module) -> None:
    """Sets the widths that torch's attention keeps to those of its tensors, and frees heads that do not fit torch's.

    Args:
        module: any; others stay as they are.
    """
    if isinstance(module, HeadwiseAttention) or _is_plain(module):
        rows, width = module.in_proj_weight.shape
        if rows != 3 * width and _is_plain(module):
            _free(module)
        module.num_heads, module.embed_dim = rows // (3 * module.head_dim), width


def _is_plain(module: nn.Module) -> TypeGuard[nn.MultiheadAttention]:
    if type(module) is not nn.MultiheadAttention or module._parameters.get("in_proj_weight") is None:
        return False
    return getattr(module, "bias_k", None) is None and not getattr(module, "add_zero_attn", False)


def _free(module: nn.Module) -> None:
    module.__class__ = HeadwiseAttention
    vars(module)["_qkv_same_embed_dim"] = (
        False  # keeps torch's encoder layers from a kernel that expects torch's shapes
    )
