"""Batch norms of which it is known what they compute, whatever their class: those whose pass is one of a library's own.

Such a norm scales and shifts each channel, and then calls the modules that it contains one after the other: none, or
timm's dropout and activation. A subclass with a pass of its own may do anything.
"""

from __future__ import annotations

from typing import TypeGuard

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_PLAIN = ("torch.nn.modules.batchnorm._BatchNorm.forward", "torch.nn.modules.batchnorm.SyncBatchNorm.forward")
_ACTIVATED = "timm.layers.norm_act.BatchNormAct2d.forward"
_FROZEN = "torchvision.ops.misc.FrozenBatchNorm2d.forward"


def is_known_norm(module: nn.Module | None) -> TypeGuard[_BatchNorm]:
    """Whether a module is a batch norm of torch's or timm's, or computes as one."""
    if not isinstance(module, _BatchNorm):
        return False
    called = [name for name, _ in module.named_children()]
    return (_pass_of(module) in _PLAIN and not called) or (_pass_of(module) == _ACTIVATED and called == ["drop", "act"])


def is_frozen_norm(module: nn.Module | None) -> bool:
    """Whether a module is torchvision's batch norm made of buffers, or computes as one."""
    return _pass_of(module) == _FROZEN


def _pass_of(module: nn.Module | None) -> str:
    """Where a module's pass is written; libraries are told by name, so that none has to be imported."""
    forward = type(module).forward if module is not None else None
    return f"{forward.__module__}.{forward.__qualname__}" if forward is not None else ""
