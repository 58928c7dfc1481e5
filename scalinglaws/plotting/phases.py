"""Phase diagrams: exponents over (alpha, beta) with named regions and their derived boundaries; the frontier."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scalinglaws.errors import require
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, scientific, size_colors
from scalinglaws.prediction.sizes import SizeFamily
from scalinglaws.symbolic import known_phase
from scalinglaws.symbolic.phases import boundaries

__all__ = ["FrontierArtists", "PhaseArtists", "draw_atlas", "frontier_curves", "phase_diagram"]

POINTS = 160
"""Points on each side of the grid that regions are drawn from."""
NARROW = 4.0
"""The name of a region that is less than this many grid points from its middle to its edge is written upright."""

_LABELS = {
    "loss_exponent": r"loss exponent $\eta$, risk ~ flops$^{-\eta}$",
    "size_exponent": r"size exponent $\xi$, d* ~ flops$^{\xi}$",
}


class PhaseArtists(NamedTuple):
    """What `phase_diagram` drew."""

    mesh: QuadMesh
    boundaries: dict[str, QuadContourSet]
    names: dict[str, Text]
    colorbar: Colorbar | None


class FrontierArtists(NamedTuple):
    """What `frontier_curves` drew."""

    curves: list[Line2D]
    envelope: Line2D
    optima: PathCollection
    colorbar: Colorbar


def phase_diagram(
    values: xr.DataArray | None = None,
    *,
    exponent: str = "loss_exponent",
    alpha: tuple[float, float] = (0.0, 1.5),
    beta: tuple[float, float] = (0.0, 1.5),
    norm: Normalize | None = None,
    cmap: str = "viridis",
    ink: str = "white",
    label: str | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> PhaseArtists:
    """Draw an exponent over (alpha, beta) in colour, with the derived boundaries and the names of the regions.

    Parameters
    ----------
    values
        What is coloured, over dimensions `alpha` and `beta`, for example one variable of an atlas; None for the
        derived `exponent`.
    exponent
        "loss_exponent" or "size_exponent".
    alpha, beta
        Limits when no values are given; else those of the values.
    norm, cmap, ink
        Scale of the colours, the map, and the colour of lines and names.
    label
        Of the colour bar; default what the exponent means.
    """
    ax = axes_of(ax)
    require(exponent in _LABELS, "exponent", exponent, f"must be one of {', '.join(_LABELS)}")
    if values is not None:
        x, y = values["alpha"].values, values["beta"].values
        alpha, beta = _edges(x), _edges(y)
    fine_alpha, fine_beta, regions, derived = _regions(alpha, beta)
    if values is None:
        x, y, shown = fine_alpha, fine_beta, derived[exponent]
    else:
        shown = values.transpose("alpha", "beta").values
    mesh = ax.pcolormesh(x, y, shown.T, shading="nearest", cmap=cmap, norm=norm, rasterized=True)
    lines = _draw_boundaries(ax, fine_alpha, fine_beta, regions, ink)
    names = _name_regions(ax, fine_alpha, fine_beta, regions, ink)
    ax.set(xlim=alpha, ylim=beta, xlabel=r"data complexity $\alpha$", ylabel=r"target complexity $\beta$")
    ax.grid(visible=False)
    bar = ax.figure.colorbar(mesh, ax=ax, label=label or _LABELS[exponent]) if colorbar else None
    return PhaseArtists(mesh, lines, names, bar)


def draw_atlas(atlas: xr.Dataset, *, figsize: tuple[float, float] = (13.0, 7.2)) -> Figure:
    """Draw an atlas: derived exponents to the left, measured ones beside them, and their difference.

    The upper row is the loss exponent, the lower one the size exponent.

    Parameters
    ----------
    atlas
        From `scalinglaws.prediction.atlas.atlas`.
    """
    figure = Figure(figsize=figsize)
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    for row, exponent in zip(axes, _LABELS, strict=True):
        derived, measured = atlas[f"{exponent}_derived"], atlas[exponent]
        difference = measured - derived
        norm = Normalize(0.0, float(np.nanmax([derived.max(), measured.max(), 1e-3])))
        reach = max(float(abs(difference).max()), 1e-3) if bool(difference.notnull().any()) else 1.0
        for ax, values, title, given in (
            (row[0], derived, "derived, limit of large compute", {"norm": norm}),
            (row[1], measured, f"measured at {scientific(float(atlas.attrs['flops']))} flops", {"norm": norm}),
            (
                row[2],
                difference,
                "measured minus derived",
                {"norm": Normalize(-reach, reach), "cmap": "RdBu_r", "ink": MEASURED, "label": "difference"},
            ),
        ):
            options: dict[str, Any] = given
            phase_diagram(values, exponent=exponent, ax=ax, **options)
            ax.set_title(title)
            ax.label_outer()
    return figure


def frontier_curves(frontier: xr.Dataset, *, per_decade: int = 2, ax: Axes | None = None) -> FrontierArtists:
    """Draw risk over compute for a ladder of sizes, their lower envelope and the compute-optimal points.

    Parameters
    ----------
    frontier
        From `scalinglaws.prediction.frontier`; two budgets or more.
    per_decade
        Curves for each factor of ten in size.
    """
    ax = axes_of(ax)
    flops, best = frontier["flops"].values, frontier["d_star"].values
    require(flops.size >= 2, "flops", flops.tolist(), "needs two budgets or more")
    model, opt = (
        PLRF.from_dict(json.loads(frontier.attrs["model"])),
        SGD.from_dict(json.loads(frontier.attrs["optimizer"])),
    )
    family = SizeFamily(model, opt)
    ladder = [d for d in family.sizes(per_decade) if best.min() / 3 <= d <= best.max() * 3]
    colors: ScalarMappable = size_colors(ladder)
    budgets = np.geomspace(flops.min() / 10, flops.max() * 3, 300)
    curves = []
    for d in ladder:
        seen = budgets[budgets >= d * family.batch]
        risk = np.exp(family.curve(d).log_risk(np.log(seen / (d * family.batch))))
        curves += ax.plot(seen, risk, color=colors.to_rgba(np.asarray(d)), lw=0.9)
    order = np.argsort(flops)
    (line,) = ax.plot(
        flops[order], frontier["risk"].values[order], "--", color=MEASURED, label="least risk for the budget"
    )
    optima = ax.scatter(flops, frontier["risk"], color=PREDICTED, zorder=4, s=22, label="compute-optimal points")
    ax.set(xscale="log", yscale="log", xlabel="compute, d * steps * batch", ylabel="expected risk")
    ax.legend(loc="lower left")
    return FrontierArtists(curves, line, optima, ax.figure.colorbar(colors, ax=ax, label="parameters d"))


def _edges(centres: NDArray[np.float64]) -> tuple[float, float]:
    """Outer edges of the cells round `centres`, as pcolormesh draws them."""
    if centres.size == 1:
        return float(centres[0] - 0.5), float(centres[0] + 0.5)
    first, last = 0.5 * (centres[1] - centres[0]), 0.5 * (centres[-1] - centres[-2])
    return float(centres[0] - first), float(centres[-1] + last)


@lru_cache(maxsize=4)
def _regions(
    alpha: tuple[float, float], beta: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_], dict[str, NDArray[np.float64]]]:
    """Grid of alpha and beta, and the phase and exponents there; "" and NaN outside the studied region."""
    alphas, betas = (low + (high - low) * (np.arange(POINTS) + 0.5) / POINTS for low, high in (alpha, beta))
    names = np.full((POINTS, POINTS), "", dtype="<U32")
    values = {exponent: np.full(names.shape, np.nan) for exponent in _LABELS}
    for i, a in enumerate(alphas.tolist()):
        for j, b in enumerate(betas.tolist()):
            here = known_phase(a, b)
            if here is None:
                continue
            names[i, j] = here.name
            for exponent, grid in values.items():
                grid[i, j] = getattr(here, exponent)
    return alphas, betas, names, values


def _draw_boundaries(
    ax: Axes, alphas: NDArray[np.float64], betas: NDArray[np.float64], regions: NDArray[np.str_], ink: str
) -> dict[str, QuadContourSet]:
    """Draw the zero line of each derived curve, where the two phases meet it."""
    import sympy as sp

    symbols = sp.symbols("alpha beta")
    a, b = np.meshgrid(alphas, betas, indexing="ij")
    drawn = {}
    for (one, other), curve in boundaries():
        value = sp.lambdify(symbols, sp.sympify(curve, locals=dict(zip(("alpha", "beta"), symbols, strict=True))))(a, b)
        beside = _grown(regions == one) & _grown(regions == other)
        if bool(beside.any()):
            masked = np.ma.masked_where(~beside, np.broadcast_to(value, a.shape))
            drawn[f"{one}/{other}"] = ax.contour(a, b, masked, levels=[0.0], colors=ink, linewidths=1.1)
    if bool((regions == "").any()):
        drawn["studied"] = ax.contour(a, b, 2 * (a + b) - 1, levels=[0.0], colors=MEASURED, linewidths=1.1)
    return drawn


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Set of points in the set or beside it."""
    return np.asarray(distance_transform_edt(~mask) < 2.0) if bool(mask.any()) else mask


def _name_regions(
    ax: Axes, alphas: NDArray[np.float64], betas: NDArray[np.float64], regions: NDArray[np.str_], ink: str
) -> dict[str, Text]:
    """Write each region's name where it is widest."""
    written = {}
    for name in sorted(set(regions.ravel().tolist()) - {""}):
        depth = distance_transform_edt(np.pad(regions == name, 1))[1:-1, 1:-1]
        widest = np.argwhere(depth == depth.max())
        i, j = widest[abs(widest - widest.mean(axis=0)).sum(axis=1).argmin()]  # the middle of a long band, not its end
        if " " in name:  # a boundary that runs through points of the grid
            continue
        style: dict[str, Any] = {"color": ink, "ha": "center", "va": "center", "weight": "bold"}
        if depth[i, j] < NARROW:
            style |= {"rotation": "vertical", "size": "x-small"}
        written[name] = ax.text(float(alphas[i]), float(betas[j]), name, **style)
    return written
