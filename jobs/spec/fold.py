"""Methods that fold networks: channels that are alike become one (Model Folding, ICLR 2025)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.allocation import NO_FUNCTIONS, AllocationField, UniformAllocation, check_compressions, check_needs
from jobs.spec.base import Compressions
from jobs.spec.method import ChannelMethod


class FoldMethod(ChannelMethod):
    """Merge alike channels: the mean of the weights that write them, the sum of those that read them.

    No labels; the paper's own way is `clustering: kmeans, slices: incoming`. Sources: Wang et al. 2025, "Forget the
    Data and Fine-Tuning! Just Fold the Network to Compress" (ICLR).
    """

    kind: Literal["fold"]
    clustering: Literal["kmeans", "ward", "cosine"] = Field(
        default="ward",
        description="`ward`: the two clusters are joined that add least to the sum of squared distances from the "
        "means; `kmeans`: the least such sum of ten starts, drawn by the seed (the paper's); `cosine`: the two are "
        "joined that have the largest mean cosine (iterative feature merging).",
    )
    slices: Literal["incoming", "all"] = Field(
        default="all",
        description="What is compared of two channels: `incoming`: the weights of all layers that write them (the "
        "paper's); `all`: those that read them, biases and norms, too.",
    )
    batchnorm: Literal["fold", "keep"] = Field(
        default="fold",
        description="`fold`: into the preceding convolution, where there is one, until a protocol trains the network; "
        "`keep`: scale, shift and statistics are averaged like the weights.",
    )
    repair: Literal["none", "approximate", "data"] = Field(
        default="approximate",
        description="Gives the outputs of layers the variance that averaging takes. `approximate`: from weights and "
        "batch norms, without data; `data`: mean and variance of every output as the dense network has them on a few "
        "images without labels. What integral methods call `variance` and `statistics`.",
    )
    repair_images: int = Field(default=256, ge=2, description="Training images for `repair: data`, drawn by the seed.")
    allocation: AllocationField = UniformAllocation()
    compressions: Compressions | None = Field(default=None, description="Default: those of the sweep.")

    @model_validator(mode="after")
    def _repairs_what_it_knows(self) -> Self:
        if self.repair != "data" and self.repair_images != type(self).model_fields["repair_images"].default:
            raise checks.fault(f"repair: {self.repair} reads no images; remove `repair_images`, or set repair: data")
        return self

    @model_validator(mode="after")
    def _allocation_fits(self) -> Self:
        check_compressions(self.allocation, self.compressions)
        check_needs(self.allocation, {**NO_FUNCTIONS, "scores": "folding scores no channels"})
        return self

    @property
    def keeps_batchnorm(self) -> bool:
        """Whether batch norms are kept."""
        return self.batchnorm == "keep"
