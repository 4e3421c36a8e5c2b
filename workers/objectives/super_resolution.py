"""Super-resolution: from an image to a larger one, or from one that was enlarged before to a sharper one.

Images and targets are in [0, 1], of three channels (RGB) or one (luma). `workers.objectives._image_quality` says how
outputs are judged.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from jobs.errors import BadInputError
from jobs.metric import Metric
from workers.data.augment import flip_turn
from workers.objectives._base import Objective, Reduction, check_batch, over_samples
from workers.objectives._image_quality import Psnr, Ssim
from workers.objectives._tiles import predictor

LossName = Literal["l1", "mse"]

_ERRORS: Mapping[LossName, Callable[..., Tensor]] = {"l1": functional.l1_loss, "mse": functional.mse_loss}


def pixel_loss(
    outputs: Float[Tensor, "n c h w"],
    targets: Float[Tensor, "n c h w"],
    *,
    kind: LossName,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """Mean absolute or mean squared error of a sample's pixels, in units of the image.

    Args:
        outputs: Images of any precision, neither clipped nor rounded.
        targets: The wanted ones.
        kind: `l1` or `mse`.
        reduction: Reduction over the samples.
    """
    return over_samples(_ERRORS[kind](outputs, targets, reduction="none"), reduction)


def difference(
    outputs: Float[Tensor, "n c h w"], wanted: Float[Tensor, "n c h w"], *, kind: LossName
) -> Float[Tensor, ""]:
    """The same error between two networks' outputs, mean over the samples."""
    return pixel_loss(outputs, wanted, kind=kind)


def check(outputs: Any, targets: Tensor, *, scale: int) -> None:
    """Raise BadInputError unless `outputs` are images of the targets' size; the targets are checked, too."""
    if targets.ndim != 4 or targets.shape[1] not in (1, 3) or not targets.is_floating_point():
        raise BadInputError(
            f"the data has targets of type {targets.dtype} and shape {tuple(targets.shape[1:])} for each image; "
            "super-resolution needs images of 1 or 3 channels, floating-point in [0, 1]; or set another `objective`"
        )
    check_batch(outputs, targets)
    if outputs.shape == targets.shape:
        return
    found, wanted = tuple(outputs.shape[1:]), tuple(targets.shape[1:])
    said = f"the network returned shape {found} for each image, and the targets have {wanted} (channels, height, width)"
    raise BadInputError(f"{said}; {_remedy(found, wanted, scale)}")


def _remedy(found: tuple[int, ...], wanted: tuple[int, ...], scale: int) -> str:
    """What to do about outputs of another shape."""
    if len(found) != 3:
        return "is it a network that returns images?"
    if found[0] != wanted[0]:
        return f"build it with in_channels: {wanted[0]}, or set the data's `colour`"
    ratios = {made / asked for made, asked in zip(found[1:], wanted[1:], strict=True)}
    if ratios == {1 / scale}:
        return (
            f"it does not enlarge, and its input is 1/{scale} of that size: set the data's `enlarged: true`, which "
            f"enlarges images before, or build a network of scale {scale}"
        )
    if ratios == {float(scale)}:
        return "it enlarges what was enlarged before: leave the data's `enlarged` out, or take a network that does not"
    if len(ratios) == 1 and (factor := ratios.pop() * scale).is_integer():
        return f"it enlarges by {factor:g} where the data and the objective have the scale {scale}: give all the same"
    return "convolutions without padding make images smaller; pad them so that the size is kept"


def _metrics(shave: int) -> dict[Metric, Callable[[], Psnr | Ssim]]:
    def psnr(name: str, label: str) -> Metric:
        return Metric(name=name, label=label, direction="higher", unit="dB", digits=2)

    def ssim(name: str, label: str) -> Metric:
        return Metric(name=name, label=label, direction="higher", digits=4, lowest=-1.0, highest=1.0)

    return {
        psnr("psnr_db", "PSNR"): partial(Psnr, shave=shave, on_luma=True),
        ssim("ssim", "SSIM"): partial(Ssim, shave=shave, on_luma=True),
        psnr("psnr_rgb_db", "PSNR of all channels"): partial(Psnr, shave=shave, on_luma=False),
        ssim("ssim_rgb", "SSIM of all channels"): partial(Ssim, shave=shave, on_luma=False),
    }


def objective(
    *,
    scale: int,
    loss: LossName = "l1",
    shave: int | None = None,
    tile: int | None = None,
    overlap: int = 32,
    self_ensemble: bool = False,
) -> Objective:
    """Super-resolution.

    Args:
        scale: How many times higher and wider the targets are than the image before anything enlarged it.
        loss: What is minimised: `l1` or `mse`.
        shave: Pixels left out at every border by the metrics; default: `scale`.
        tile: As of `workers.objectives._tiles.predictor`; so are `overlap` and `self_ensemble`.
        overlap: As above.
        self_ensemble: As above.
    """
    return Objective(
        name="super-resolution",
        metrics=_metrics(scale if shave is None else shave),
        loss=partial(pixel_loss, kind=loss),
        difference=partial(difference, kind=loss),
        check=partial(check, scale=scale),
        augmentations={"flip-turn": flip_turn},
        predict=predictor(tile=tile, overlap=overlap, self_ensemble=self_ensemble),
    )
