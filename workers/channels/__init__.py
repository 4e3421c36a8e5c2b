"""Channel groups: which channels of which tensors are coupled; removing, reordering and mixing them.

    channel_map = find_groups(model, (3, 32, 32))
    smaller = select(model.state_dict(), channel_map, {"layer1.0.conv1": kept})
    load_resized(model, smaller)

Channel importance is in `criteria`, the number of channels in `allocation`, their order in `ordering`.
"""

from workers.channels.absence import leaving_out, without
from workers.channels.activations import live_activations, live_in
from workers.channels.analysis import find_groups
from workers.channels.attributes import SizeAttribute, attach, attached_buffers
from workers.channels.cost import Cost, CostTerm, Length, cost_of_tensors
from workers.channels.counting import MacCount, Ownership, ParameterCount, count_parameters, ownership
from workers.channels.example import example_inputs
from workers.channels.folding import (
    apply_folding_structure,
    can_unfold,
    fold_batchnorm,
    fold_model,
    fold_pairs,
    fold_state,
    folded_shapes,
    norm_eps,
    unfold_state,
)
from workers.channels.fresh import build_resized
from workers.channels.layout import (
    NOT_A_CHANNEL,
    AxisLayout,
    ChannelGroup,
    ChannelMap,
    OwnedAxis,
    RefusedGroup,
    Role,
    restrict,
)
from workers.channels.outputs import largest_difference, outputs_of
from workers.channels.parts import applications_of, dissect
from workers.channels.precision import InDouble
from workers.channels.products import MacCounter
from workers.channels.rebuild import forget_computed, load_resized
from workers.channels.recording import without_fast_attention
from workers.channels.slicing import map_units, mask, owned_slices, replace_units, select, unit_slices
from workers.channels.trace import dtype_of, weight_name

__all__ = [
    "NOT_A_CHANNEL",
    "AxisLayout",
    "ChannelGroup",
    "ChannelMap",
    "Cost",
    "CostTerm",
    "InDouble",
    "Length",
    "MacCount",
    "MacCounter",
    "OwnedAxis",
    "Ownership",
    "ParameterCount",
    "RefusedGroup",
    "Role",
    "SizeAttribute",
    "applications_of",
    "apply_folding_structure",
    "attach",
    "attached_buffers",
    "build_resized",
    "can_unfold",
    "cost_of_tensors",
    "count_parameters",
    "dissect",
    "dtype_of",
    "example_inputs",
    "find_groups",
    "fold_batchnorm",
    "fold_model",
    "fold_pairs",
    "fold_state",
    "folded_shapes",
    "forget_computed",
    "largest_difference",
    "leaving_out",
    "live_activations",
    "live_in",
    "load_resized",
    "map_units",
    "mask",
    "norm_eps",
    "outputs_of",
    "owned_slices",
    "ownership",
    "replace_units",
    "restrict",
    "select",
    "unfold_state",
    "unit_slices",
    "weight_name",
    "without",
    "without_fast_attention",
]
