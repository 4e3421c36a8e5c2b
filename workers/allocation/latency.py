"""The latency of a network as a function of its widths, from the measured times of its layers. Pure."""

from collections.abc import Mapping

from workers.channels import ChannelMap, Cost, CostTerm, Length
from workers.channels.cost import axis_length, product_term
from workers.measure.layers import LayerTime


def latency_cost(channel_map: ChannelMap, layers: Mapping[str, LayerTime], overhead_s: float = 0.0) -> Cost:
    """Seconds of a pass.

    Args:
        channel_map: The network's channel groups.
        layers: Name of a layer's weight -> its time at full width.
        overhead_s: Seconds of a call that computes nothing.
    """
    constant, terms = overhead_s, list[CostTerm]()
    for name, time in layers.items():
        parts = _parts(channel_map, name, time)
        constant += sum(fixed for fixed, _ in parts) + time.fixed
        terms += [term for _, term in parts if term]
    return Cost(channel_map.widths(), constant, terms)


def _parts(channel_map: ChannelMap, name: str, time: LayerTime) -> list[tuple[float, CostTerm | None]]:
    if name not in channel_map.tensors:
        return [(time.products + time.inputs + time.outputs, None)]
    layouts = channel_map.tensors[name]
    lengths = [axis_length(channel_map, layout) for layout in layouts]
    outputs = [length for length, layout in zip(lengths, layouts, strict=True) if layout.role == "output"][:1]
    inputs = [length for length, layout in zip(lengths, layouts, strict=True) if layout.role == "input"][:1]
    widths = channel_map.widths()
    return [
        _share(time.products, lengths, widths),
        _share(time.inputs, inputs, widths),
        _share(time.outputs, outputs, widths),
    ]


def _share(seconds: float, lengths: list[Length], widths: Mapping[str, int]) -> tuple[float, CostTerm | None]:
    """Seconds at full width, in proportion to the lengths."""
    for length in lengths:
        seconds /= length.constant + sum(count * widths[name] for name, count in length.occurrences.items())
    return product_term(seconds, lengths)
