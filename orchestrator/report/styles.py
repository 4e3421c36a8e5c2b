"""How curves are told apart in figures: a hue per method, a line style and a marker per protocol. Pure."""

import colorsys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product

from jobs.spec.protocols import NO_PROTOCOL

INK, MUTED, GRID = "#1f2328", "#667079", "#e3e6e9"

_KNOWN = {"integral-tuned": "#D55E00", "integral": "#0072B2", "l1": "#009E73", "random": "#8c8c8c"}
"""Our methods have the same hue in every figure."""

_OTHERS = ("#E69F00", "#56B4E9", "#CC79A7", "#700000", "#931067", "#0000D6", "#195742", "#7E5225")
"""With those above twelve hues, after Okabe and Ito and beyond: any two differ by at least 20 (CIEDE2000), and by 7 for
readers who see no red or no green."""

_SHADES = (0.0, 0.45, -0.4)
"""Hues that are used again are lighter (towards white), then darker (towards black)."""

MOST_METHODS = (len(_KNOWN) + len(_OTHERS)) * len(_SHADES)
"""So many methods have colours of their own."""

_DARK = 1.05 / 3.2 - 0.05
"""The luminance whose contrast with white is 3.2; WCAG 2 asks large words for 3. Darker, hues become alike."""

_DASHES = ((), (6.0, 2.5), (1.5, 2.0), (7.0, 2.0, 1.5, 2.0), (11.0, 3.0))
_MARKERS = "osD^vPX*"
_LEVEL_DASHES = ((5.0, 3.0), (1.5, 1.5), (8.0, 2.0, 2.0, 2.0), (2.5, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one curve is drawn.

    Attributes:
        color: As `#rrggbb`.
        dashes: Lengths of strokes and gaps in line widths; none: a solid line.
        marker: As matplotlib names it; empty for what has a height alone.
    """

    color: str
    dashes: tuple[float, ...]
    marker: str

    @property
    def ink(self) -> str:
        """The colour, as dark as words on white have to be."""
        darker = (_shaded(self.color, -step / 20) for step in range(20))
        return next((color for color in darker if _luminance(color) <= _DARK), INK)


def styles_of(curves: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Style]:
    """The style of each curve, by method and protocol; no two are the same.

    A method's hue follows from its name, so that it is the same in other figures as long as no other method of the
    sweep claims it; protocols are in the order in which they appear, `none` first.

    Args:
        curves: Methods and protocols, of at most `MOST_METHODS` methods and 40 protocols.
    """
    pairs = list(dict.fromkeys(curves))
    colors = _colors(sorted({method for method, _ in pairs}))
    protocols = sorted(dict.fromkeys(protocol for _, protocol in pairs), key=lambda name: name != NO_PROTOCOL)
    lines = {
        protocol: (_DASHES[number % len(_DASHES)], _MARKERS[number % len(_MARKERS)])
        for number, protocol in enumerate(protocols)
    }
    return {
        (method, protocol): Style(color=colors[method], dashes=lines[protocol][0], marker=lines[protocol][1])
        for method, protocol in pairs
    }


def level_styles(levels: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Style]:
    """Those of what has a height alone, dense networks and baselines: black, in dashes of their own."""
    return {
        level: Style(color=INK, dashes=_LEVEL_DASHES[number % len(_LEVEL_DASHES)], marker="")
        for number, level in enumerate(dict.fromkeys(levels))
    }


def _colors(methods: Sequence[str]) -> dict[str, str]:
    colors = {method: _KNOWN[method] for method in methods if method in _KNOWN}
    shaded = [_shaded(hue, shade) for shade, hue in product(_SHADES, (*_KNOWN.values(), *_OTHERS))]
    for method in methods:
        if method not in _KNOWN:
            start = int(sha256(method.encode()).hexdigest(), 16) % len(_OTHERS)
            offered = (*_OTHERS[start:], *_OTHERS[:start], *shaded)
            colors[method] = next((each for each in offered if each not in colors.values()), offered[0])
    return colors


def _luminance(color: str) -> float:
    """From 0 (black) to 1 (white), as WCAG 2 defines it."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _shaded(color: str, shade: float) -> str:
    """A colour, moved towards white by a positive fraction, towards black by a negative one."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    if shade:
        hue, light, saturation = colorsys.rgb_to_hls(*parts)
        light = light + shade * (1 - light) if shade > 0 else light * (1 + shade)
        parts = list(colorsys.hls_to_rgb(hue, light, saturation))
    return "#" + "".join(f"{round(part * 255):02X}" for part in parts)
