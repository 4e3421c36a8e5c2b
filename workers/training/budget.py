"""The cost of a training in MACs, and the number of epochs that a budget allows. Pure."""

from jobs.errors import BadInputError

_PASSES = 3
"""A step costs one forward pass, and a backward pass of twice that: with respect to inputs and to weights."""


def training_macs(macs: int, samples: int) -> int:
    """MACs of a training, by convention three forward passes per sample.

    Optimizer steps, augmentation and evaluation on the validation split are not counted.

    Args:
        macs: MACs of one forward pass of one sample.
        samples: Number of samples, counted once per use.
    """
    return _PASSES * macs * samples


def scratch_epochs(
    epochs: int, *, dense_macs: int, pruned_macs: int, cap: float | None = None, fine_tuning_epochs: int = 0
) -> int:
    """Epochs that a pruned network may train from scratch on the dense network's budget, rounded to whole ones.

    Scratch-B of Liu et al. 2019 (arXiv:1810.05270, section 3): as many MACs as the dense network takes in its `epochs`,
    so `epochs` x dense / pruned. With `fine_tuning_epochs` the three-step pipeline is matched in full:
    those epochs of the pruned network come on top.

    Args:
        epochs: Epochs of the dense network's training.
        dense_macs: MACs of the dense network on one sample.
        pruned_macs: MACs of the pruned one, without removed single weights.
        cap: Upper bound on the ratio dense / pruned; None for no cap.
        fine_tuning_epochs: Epochs of fine-tuning to match; not capped.

    Raises:
        BadInputError: The pruned network has no MACs, so that no number of epochs spends the budget.
    """
    if pruned_macs < 1:
        raise BadInputError(f"scratch: the pruned network has {pruned_macs} multiply-accumulates; prune less of it")
    ratio = dense_macs / pruned_macs
    return round(epochs * (ratio if cap is None else min(ratio, cap))) + fine_tuning_epochs
