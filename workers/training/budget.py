"""What a training costs, and how long one may be that is to cost as much as another.

Knows numbers only: which network has so many multiply-accumulates, and how they were counted, is the caller's.
"""

from jobs.errors import BadInputError

_PASSES = 3
"""A step costs one forward pass, and a backward pass of twice that: with respect to inputs and to weights."""


def training_macs(macs: int, samples: int) -> int:
    """Multiply-accumulates of a training, by convention three forward passes of each sample that it takes.

    Optimizer steps, augmentation and the passes over the validation split are not counted.

    Args:
        macs: Of one forward pass of one sample.
        samples: How many are taken in all, each as often as it is.
    """
    return _PASSES * macs * samples


def scratch_epochs(
    epochs: int, *, dense_macs: int, pruned_macs: int, cap: float | None = None, fine_tuning_epochs: int = 0
) -> int:
    """How long a pruned network may train from scratch on the dense network's budget, to the nearest whole epoch.

    Scratch-B of Liu et al. 2019 (arXiv:1810.05270, section 3): as many multiply-accumulates as the dense network takes
    in its `epochs`, so `epochs` x dense / pruned. With `fine_tuning_epochs` the three-step pipeline is matched in full:
    those epochs of the pruned network come on top.

    Args:
        epochs: Of the dense network's training.
        dense_macs: Multiply-accumulates of the dense network on one sample.
        pruned_macs: Of the pruned one, those of its weights that were really kept.
        cap: The ratio dense / pruned counts at most so much; None for no cap.
        fine_tuning_epochs: What the pruned network would be fine-tuned for; the cap does not touch them.

    Raises:
        BadInputError: The pruned network has no multiply-accumulates, so that no number of epochs spends the budget.
    """
    if pruned_macs < 1:
        raise BadInputError(f"scratch: the pruned network has {pruned_macs} multiply-accumulates; prune less of it")
    ratio = dense_macs / pruned_macs
    return round(epochs * (ratio if cap is None else min(ratio, cap))) + fine_tuning_epochs
