"""Sums over the inputs of a smaller network's layers, and over the errors of their outputs against the dense network.

Both networks run on the same images and are compared at random output positions. No inputs are kept: sums of their
products, in double precision, suffice for a refit and for channel selection.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from workers.channels import ChannelMap, map_units
from workers.channels.headwise import free_heads
from workers.inputs import Inputs, call, num_samples, take
from workers.observations.calls import Visit, visiting
from workers.reconstruction.sites import Site, find_sites
from workers.reconstruction.windows import count_rows, inputs_at, outputs_at

Restriction: TypeAlias = Mapping[str, Float[Tensor, "_m _n"]]
"""Group name -> matrix from the n channels of the dense network to the m of the smaller one; others are equal."""

POSITIONS = 16
"""Output positions per image, on average. He et al. 2017 take 10, of ten times as many images (section 4)."""

_Observe: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any], Any], None]


def selection(channel_map: ChannelMap, kept: Mapping[str, Int64[Tensor, " _"]]) -> dict[str, Float[Tensor, "_m _n"]]:
    """The restriction to some units of every named group."""
    widths = channel_map.widths()
    return {name: torch.eye(widths[name])[units] for name, units in kept.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums over the sampled rows of one layer, in double precision.

    With x the inputs of a row and a 1 appended, and e the error there: the dense output less that of the smaller
    network, where the site compares them. A grouped convolution has a block per group, all others have one.

    Attributes:
        gram: Sum of x x^T.
        moments: Sum of x e^T.
        errors: Sum of the squares of e, by output.
        energy: Sum of the squares of the dense outputs.
    """

    gram: Float[Tensor, "blocks features features"]
    moments: Float[Tensor, "blocks features outputs"]
    errors: Float[Tensor, "blocks outputs"]
    energy: float

    def __add__(self, other: "Sums") -> "Sums":
        """The sums over the rows of both."""
        return Sums(
            gram=self.gram + other.gram,
            moments=self.moments + other.moments,
            errors=self.errors + other.errors,
            energy=self.energy + other.energy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """Rows of a layer on one batch, and the dense network's outputs there."""

    rows: Int64[Tensor, " rows"]
    outputs: Float[Tensor, "rows channels"]


class DenseReference:
    """A dense network's outputs on images, which smaller networks are compared with.

    The dense network runs once. Its outputs at the drawn rows stay in memory, on the device: 4 bytes for each image,
    position and channel of the network.

    Args:
        dense: In evaluation mode, on the device of the images. Where heads of torch's attention may go, they are freed
            (`channels.headwise`), as they will be in smaller networks: the calls of both then have the same numbers.
        channel_map: Its channel groups.
        inputs: Batches without labels, on the device; at least one.
        on_images: As of `find_sites`.
        positions: Number of output positions per image that are compared, on average; at most all.
        generator: Draws the positions.
        poll: Called before every batch.

    Attributes:
        sites: The layers that are compared, in order of execution.
    """

    def __init__(
        self,
        dense: nn.Module,
        channel_map: ChannelMap,
        inputs: Sequence[Inputs],
        *,
        on_images: bool = False,
        positions: int = POSITIONS,
        generator: torch.Generator,
        poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._heads_go = any(name.endswith("in_proj_weight") for name in channel_map.tensors)
        if self._heads_go:
            free_heads(dense)
        self.sites = find_sites(dense, take(inputs[0], slice(1)), on_images=on_images)
        self._channel_map, self._inputs, self._poll = channel_map, inputs, poll
        self._drawn = [self._draw(dense, batch, positions, generator) for batch in inputs]

    @torch.inference_mode()
    def sums(self, smaller: nn.Module, sites: Sequence[Site], restriction: Restriction) -> dict[Site, Sums]:
        """The sums of some sites, in one pass of the smaller network over the images.

        Args:
            smaller: The dense network with fewer channels, in evaluation mode on the device of the images.
            sites: Some of `sites`; at least one.
            restriction: Maps the dense network's channels to those of the smaller one.
        """
        if self._heads_go:
            free_heads(smaller)
        found: dict[Site, Sums] = {}
        for batch, drawn in zip(self._inputs, self._drawn, strict=True):
            self._poll()
            inputs, outputs = _inputs_and_outputs(smaller, batch, {site: drawn[site].rows for site in sites})
            for site in sites:
                targets = self._restricted(drawn[site].outputs, site, restriction)
                sums = _sums(inputs[site], targets, outputs[site])
                found[site] = found[site] + sums if site in found else sums
        return found

    @torch.inference_mode()
    def _draw(self, dense: nn.Module, batch: Inputs, positions: int, generator: torch.Generator) -> dict[Site, _Drawn]:
        drawn: dict[Site, _Drawn] = {}

        def observe(site: Site) -> _Observe:
            def hook(args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
                order = torch.randperm(count_rows(result, site.axis), generator=generator)
                rows = order[: positions * num_samples(batch)].to(result.device)
                drawn[site] = _Drawn(rows=rows, outputs=outputs_at(result, site.axis, rows))

            return hook

        self._poll()
        _watch(dense, batch, [(site.compared, observe(site)) for site in self.sites])
        return drawn

    def _restricted(
        self, outputs: Float[Tensor, "rows channels"], site: Site, restriction: Restriction
    ) -> Float[Tensor, "rows _fewer"]:
        """The dense network's outputs, restricted to the smaller network's channels."""
        if site.weight not in self._channel_map.tensors:
            return outputs
        layout = self._channel_map.tensors[site.weight][0]
        for index in layout.present():
            matrix = restriction.get(self._channel_map.groups[index].name)
            if matrix is not None:
                outputs = map_units(outputs, (layout, layout), 1, index, matrix.to(outputs))
                layout = layout.cut({index: len(matrix)})
        return outputs


def _inputs_and_outputs(
    smaller: nn.Module, batch: Inputs, rows: Mapping[Site, Int64[Tensor, " _"]]
) -> tuple[dict[Site, Float[Tensor, "_rows _blocks _features"]], dict[Site, Float[Tensor, "_rows _channels"]]]:
    """Inputs of the layers, and their compared outputs, at the rows of every site."""
    inputs: dict[Site, Tensor] = {}
    outputs: dict[Site, Tensor] = {}

    def enter(site: Site) -> _Observe:
        def hook(args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
            inputs[site] = inputs_at(site.function, args, kwargs, rows[site])

        return hook

    def leave(site: Site) -> _Observe:
        def hook(args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
            outputs[site] = outputs_at(result, site.axis, rows[site])

        return hook

    visits = [(site.call, enter(site)) for site in rows] + [(site.compared, leave(site)) for site in rows]
    _watch(smaller, batch, visits)
    return inputs, outputs


def _sums(
    inputs: Float[Tensor, "rows blocks features"],
    targets: Float[Tensor, "rows channels"],
    outputs: Float[Tensor, "rows channels"],
) -> Sums:
    rows, blocks, _ = inputs.shape
    with_one = torch.cat([inputs, inputs.new_ones(rows, blocks, 1)], dim=2).double().movedim(1, 0)
    errors = (targets.double() - outputs.double()).view(rows, blocks, -1).movedim(1, 0)
    return Sums(
        gram=with_one.mT @ with_one,
        moments=with_one.mT @ errors,
        errors=errors.square().sum(1),
        energy=float(targets.double().square().sum()),
    )


class _StopForwardError(Exception):
    """Ends a forward pass early."""


def _watch(module: nn.Module, batch: Inputs, observers: Sequence[tuple[int, _Observe]]) -> None:
    """Runs a network until the call of the last observer."""
    last = max(number for number, _ in observers)

    def visit(number: int) -> Visit:
        def at(args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> Any:
            for wanted, observe in observers:
                if wanted == number:
                    observe(args, kwargs, result)
            if number == last:
                raise _StopForwardError
            return result

        return at

    with suppress(_StopForwardError), visiting({number: visit(number) for number, _ in observers}):
        call(module, batch)
