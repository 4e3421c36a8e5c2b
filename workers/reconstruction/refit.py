"""Least-squares refit of one layer: the change of its weights that brings its outputs nearest to the dense network's.

Ridge regression towards the present weights, so that directions which the images do not determine are unchanged, and a
refit is never worse on its own rows than no refit. Needs only sums over rows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from workers.reconstruction.samples import Sums
from workers.reconstruction.sites import Site

RIDGE = 0.1
"""Ridge of all refits, as a fraction of the mean squared input: docs/decisions/0012-reconstruction.md."""

_LIVE = 1e-3
"""A channel is not refitted if its norm scales it by less than this fraction of the largest scale: its weights would
have to grow accordingly, and recalibration of the norm would undo that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """The result of a refit, on its own rows.

    Attributes:
        layer: Dotted path of the layer.
        before: Sum of the squared errors over that of the squared dense outputs.
        after: The same after the refit; never more.
    """

    layer: str
    before: float
    after: float


def refit_weights(smaller: nn.Module, site: Site, sums: Sums, *, ridge: float) -> Refit:
    """Change the weights of a layer, and the bias of it or of its norm, to those of least squared error. In place.

    Args:
        smaller: The network.
        site: The layer.
        sums: Its present sums.
        ridge: As for `ridge_regression`; the unknown is the change of the weights times the norm's scale. The change
            of a bias is not penalised.
    """
    weight, bias = smaller.get_parameter(site.weight), _bias(smaller, site)
    features = sums.gram.shape[1] - 1
    known = features if bias is None else features + 1
    change = torch.zeros_like(sums.moments)
    change[:, :known] = ridge_regression(sums.gram[:, :known, :known], sums.moments[:, :known], ridge, features)
    scale = norm_scale(smaller, site).view(len(change), 1, -1)
    change = change.masked_fill(scale.abs() < _LIVE * scale.abs().max(), 0)
    decrease = _error_decrease(sums, change)
    if decrease > 0:
        before_norm = change / torch.where(scale == 0, 1, scale)
        with torch.no_grad():
            weight.add_(before_norm[:, :features].mT.reshape(weight.shape).to(weight))
            if bias is not None:
                shifts = before_norm if bias == f"{site.layer}.bias" else change
                smaller.get_parameter(bias).add_(shifts[:, features].flatten().to(weight))
    return _refit(site, sums, decrease)


def rescale_units(
    smaller: nn.Module, site: Site, sums: Sums, units: Int64[Tensor, " features"], factors: Float[Tensor, " units"]
) -> Refit:
    """Multiply all weights that a layer has for an input unit by the unit's factor, if that lowers the error. In place.

    Args:
        smaller: The network.
        site: The layer; no convolution in groups.
        sums: Its present sums.
        units: The unit of every feature; negative where there is none.
        factors: One for each unit.
    """
    weight = smaller.get_parameter(site.weight)
    by_feature = torch.cat([factors, factors.new_ones(1)])[units.to(factors.device)]  # the last one serves -1
    change = torch.zeros_like(sums.moments)
    change[0, :-1] = effective_weight(smaller, site) * (by_feature - 1)[:, None]
    decrease = _error_decrease(sums, change)
    if decrease > 0:
        with torch.no_grad():
            weight.mul_(by_feature.view(1, *weight.shape[1:]).to(weight))
    return _refit(site, sums, decrease)


def unchanged(site: Site, sums: Sums) -> Refit:
    """The result for a layer that is left as it is."""
    return _refit(site, sums, 0.0)


def ridge_regression(
    gram: Float[Tensor, "blocks unknowns unknowns"],
    moments: Float[Tensor, "blocks unknowns outputs"],
    ridge: float,
    features: int,
) -> Float[Tensor, "blocks unknowns outputs"]:
    """D of (G + r t P) D = C, with t the mean of the diagonal of P G, for every block.

    Args:
        gram: G.
        moments: C.
        ridge: r; above 0.
        features: Number of penalised unknowns: P is 1 on the diagonal for these first ones, 0 for the others.
    """
    diagonal = gram.diagonal(dim1=1, dim2=2)
    cost = torch.full_like(diagonal, torch.finfo(gram.dtype).tiny)  # for an input that is always 0
    cost[:, :features] += ridge * diagonal[:, :features].mean(1, keepdim=True)
    factor = torch.linalg.cholesky(gram + torch.diag_embed(cost))
    return torch.cholesky_solve(moments, factor)


def effective_weight(smaller: nn.Module, site: Site) -> Float[Tensor, "features outputs"]:
    """The weights of a layer, not a grouped convolution, times the scale of its norm, in double precision."""
    weight = smaller.get_parameter(site.weight).detach().double().flatten(1)
    return (norm_scale(smaller, site)[:, None] * weight).mT


def norm_scale(smaller: nn.Module, site: Site) -> Float[Tensor, " channels"]:
    """The scale of a site's norm, in double precision; 1 without a norm."""
    weight = smaller.get_parameter(site.weight)
    if site.norm is None:
        return torch.ones(len(weight), dtype=torch.float64, device=weight.device)
    norm = smaller.get_submodule(site.norm)
    assert isinstance(norm, _BatchNorm), site.norm  # checked by `find_sites`
    scale = (norm.get_buffer("running_var").double() + norm.eps).rsqrt()
    return scale * norm.weight.detach().double() if norm.affine else scale


def _bias(smaller: nn.Module, site: Site) -> str | None:
    """The bias of the layer, or else of its norm."""
    known = dict(smaller.named_parameters())
    names = [f"{module}.bias" for module in (site.layer, site.norm) if module is not None]
    return next((name for name in names if name in known), None)


def _error_decrease(sums: Sums, change: Float[Tensor, "blocks features outputs"]) -> float:
    """Decrease of the squared error by a change of the effective weights."""
    return float((change * (2 * sums.moments - sums.gram @ change)).sum())


def _refit(site: Site, sums: Sums, decrease: float) -> Refit:
    before, energy = float(sums.errors.sum()), sums.energy or 1.0
    return Refit(layer=site.layer, before=before / energy, after=max(0.0, before - max(0.0, decrease)) / energy)
