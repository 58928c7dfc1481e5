"""The result in sentences: what a practitioner should conclude, each with the numbers that say so.

What normalised curves can tell about one odd size, and what they cannot (the end is divided out):

- above the others: its reducible loss falls later than theirs. Its horizon is too short for it, or its learning rate
  too high (the excess of a high rate goes away only when the rate decays);
- below the others: it falls earlier. Its horizon is too long, or its rate too low;
- early only: warm-up or initialisation; late only: the end of the schedule, or a disturbance late in training.

Rate and horizon act alike on a curve, but the records often decide: a size whose tokens follow the horizon law of the
others does not owe its curve to its horizon.
"""

from __future__ import annotations

import numpy as np

from scalinglaws._findings import Finding
from scalinglaws.comparison.collapsing.exponent import HorizonExponent
from scalinglaws.comparison.collapsing.family import Selection
from scalinglaws.comparison.collapsing.result import Collapse
from scalinglaws.comparison.collapsing.sizes import BANDS, Odd

__all__ = ["findings_of", "verdict_of"]

_WHOLE = 0.5  # onset from which a family counts as collapsing, as published families do
_LATE = 0.1
_UNKNOWN_NOISE = 0.01  # seed noise of a reducible loss as it is usually measured, where it is not measured here


def verdict_of(c: Collapse) -> str:
    """Return the paragraph for the person who owns the runs."""
    sizes = c.dataset.sizes["size"]
    if sizes == 1:
        seeds = int(c.dataset["seeds"][0])
        return (
            f"Only one size ({seeds} run{'s' if seeds > 1 else ''}) takes part: nothing can be said on collapse, which "
            "compares sizes."
        )
    sentences = [_collapse_sentence(c)]
    if c.odd.untold:
        sentences.append(f"Single sizes cannot be judged: {c.odd.untold}.")
    elif not c.odd.majority:
        sentences.append(
            "More than a third of the sizes fall out of a common curve, so none can be called the odd one."
        )
    elif c.odd.found:
        sentences += [_short(c, odd) for odd in c.odd.found]
    elif c.onset < _WHOLE and _share_between(c) > 0.5:
        sentences.append("The sizes differ from one another, and none of them alone is the odd one.")
    else:
        sentences.append("No size falls out of the family.")
    if c.drift is not None and not _drift(c).ok:
        sentences.append(_drift(c).sentence[0].upper() + _drift(c).sentence[1:] + ".")
    return " ".join(sentences)


def findings_of(c: Collapse, selection: Selection) -> tuple[Finding, ...]:
    """Return every check behind the verdict."""
    found = [_runs(c, selection), _damage(selection), *_design(c), _irreducible(c), _noise(c)]
    if c.dataset.sizes["size"] > 1:
        found.append(_collapse(c))
        found.append(_drift(c))
        found += _sizes(c)
        found += [_gamma(c.frontier_gamma, c), _gamma(c.collapse_gamma, c)]
    return tuple(found)


def _percent(value: float) -> str:
    return f"{100.0 * value:.3g} %"


def _spread(c: Collapse) -> str:
    noise = "" if np.isnan(c.mean_noise.value) else f" against a seed noise of {_percent(c.mean_noise.value)}"
    return f"{_percent(c.mean_deviation.value)}{noise}"


def _collapse_sentence(c: Collapse) -> str:
    sizes = c.dataset.sizes["size"]
    if np.isnan(c.onset):
        return (
            f"The curves of {sizes} sizes differ by {_percent(c.mean_deviation.value)} on average over the second half "
            "of training; with one seed per size the seed noise is unknown, so whether that is collapse cannot be told."
        )
    mean = f"the deviation over the second half of training is {_spread(c)}"
    low, high = c.onset_interval
    since = f"{100 * (1 - c.onset):.3g} % of training on"
    if np.isfinite(low):
        since += f" ({100 * c.level:.0f} % interval {100 * (1 - high):.3g} to {100 * (1 - low):.3g} %)"
    if c.onset >= _WHOLE:
        return f"This family is collapsing below its seed noise from {since}; {mean}."
    if c.onset >= _LATE:
        return f"This family collapses only late, below its seed noise from {since}; {mean}. {_why(c)}"
    return f"This family does not collapse below its seed noise before its end; {mean}. {_why(c)}"


def _why(c: Collapse) -> str:
    """Say whether sizes or seeds make the deviation."""
    share = _share_between(c)
    if share > 0.5:
        return f"{100 * share:.0f} % of the variance is between sizes: the sizes do not share one curve."
    return (
        f"{100 * (1 - share):.0f} % of the variance is between seeds of one size: noise that does not last to the end, "
        "as at a learning rate that stays high or with a small batch, rather than a fault of a size."
    )


def _share_between(c: Collapse) -> float:
    """Share of Var(ell) between sizes over the second half; what seed noise alone puts there is taken off."""
    half = (c.dataset["x"] >= 0.5) & (c.dataset["x"] < 1.0)
    between, within = (float(c.dataset[k].where(half).sum()) for k in ("between", "within"))
    seeds = float(c.dataset["seeds"].mean())
    excess = max(between - within / max(seeds - 1.0, 1.0), 0.0) if within > 0 else between
    total = between + within
    return excess / total if total > 0 else 0.0


def _runs(c: Collapse, selection: Selection) -> Finding:
    runs, sizes = c.dataset.sizes["run"], c.dataset.sizes["size"]
    counted = f"{runs} run{'s' if runs > 1 else ''} of {sizes} size{'s' if sizes > 1 else ''} take part"
    if not selection.left_out:
        return Finding("runs", True, counted)
    named = "; ".join(f"run {name}, {reason}" for name, reason in selection.left_out.items())
    return Finding("runs", False, f"{counted}; left out: {named}")


def _damage(selection: Selection) -> Finding:
    if not selection.repairs:
        return Finding("damage", True, "no curve needed repair")
    return Finding("damage", False, "repaired: " + "; ".join(selection.repairs))


def _design(c: Collapse) -> list[Finding]:
    d = c.design
    labels = c.dataset["label"].values
    if c.dataset.sizes["size"] == 1:
        return []
    unit = c.dataset["horizon"].attrs["units"]
    if d.horizon:
        named = _ratios(d.horizon, labels)
        horizon = Finding("horizons", False, f"horizons ({unit}) against the power law of the others: {named}")
    elif d.straight:
        horizon = Finding(
            "horizons", True, f"horizons ({unit}) follow one power law of size, exponent {d.exponent:.3f}"
        )
    else:
        horizon = Finding("horizons", False, f"horizons ({unit}) follow no power law of size")
    found = [horizon]
    if not d.rates_known:
        found.append(
            Finding("schedules", True, "learning rates are not recorded for every run, so schedules are unchecked")
        )
    elif d.schedule:
        named = ", ".join(d.schedule[:6]) + (" and others" if len(d.schedule) > 6 else "")
        found.append(Finding("schedules", False, f"the learning rate over x is not that of most runs in {named}"))
    else:
        found.append(Finding("schedules", True, "every run has the same learning-rate schedule over x"))
    for name, ratios in (("peak learning rate", d.peak_lr), ("batch", d.batch)):
        if ratios:
            found.append(Finding(name, False, f"{name} against the power law of the others: {_ratios(ratios, labels)}"))
    return found


def _ratios(ratios: dict[int, float], labels: np.ndarray[tuple[int], np.dtype[np.object_]]) -> str:
    return ", ".join(f"size {labels[p]} has {ratio:.3g} times" for p, ratio in ratios.items())


def _irreducible(c: Collapse) -> Finding:
    floor = c.irreducible
    if floor.fit is None:
        return Finding("irreducible", True, f"the irreducible loss was given: {floor.value:.5g}")
    fit = floor.fit
    percent = f"{100 * fit.level:.0f} % interval {fit.low:.4f} to {fit.high:.4f}, {fit.resampled} resampled"
    unit = "PFLOP" if c.dataset["compute"].attrs["units"] == "FLOP" else "arbitrary units"
    law = f"L0 {fit.L0:.4f} ({percent}), a {fit.a:.4g}, b {fit.b:.4f} in L = L0 + a C^-b, C in {unit}"
    certificate = (
        f"Huber on log loss, converged with scaled gradient {fit.gradient_norm:.0e}, "
        f"{fit.starts_agreeing} of {fit.starts_tried} starts agree"
    )
    healthy = fit.converged and not fit.at_bounds
    if not healthy:
        trouble = f"{', '.join(fit.at_bounds)} at a bound" if fit.at_bounds else "no minimum was reached"
        certificate = f"{trouble}: the ends do not determine it"
    if floor.source == "given":
        return Finding("irreducible", True, f"the irreducible loss was given: {floor.value:.5g}; the ends give {law}")
    return Finding("irreducible", healthy, f"the irreducible loss was fitted: {law} ({certificate})")


def _noise(c: Collapse) -> Finding:
    seeds = c.dataset["seeds"].values
    labels = c.dataset["label"].values
    single = [str(name) for name, n in zip(labels, seeds, strict=True) if n < 2]
    if not single:
        most = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
        return Finding("seeds", True, f"{most} seeds of every size measure the noise (ddof {c.dataset.attrs['ddof']})")
    if len(single) == len(seeds):
        text = (
            "one seed per size: the noise floor sigma, the onset and their intervals are unknown; a difference between "
            "sizes may be noise, and an odd size is judged by the spread of the others alone"
        )
    else:
        text = (
            f"one seed of size {', '.join(single)}: sigma is the mean over the other sizes, and there are no intervals"
        )
    return Finding("seeds", False, text)


def _collapse(c: Collapse) -> Finding:
    attrs = c.dataset.attrs
    how = f"ddof {attrs['ddof']}, {attrs['grid']}, {attrs['interpolation']}"
    if np.isnan(c.onset):
        return Finding("collapse", True, f"mean deviation {_spread(c)} over x in [0.5, 1) ({how})")
    text = (
        f"Delta < sigma over the last {c.onset:.3f} of training; mean deviation {_spread(c)} over x in [0.5, 1) ({how})"
    )
    return Finding("collapse", c.onset >= _WHOLE, text)


def _drift(c: Collapse) -> Finding:
    if c.drift is None:
        return Finding("drift", True, "two sizes cannot show a drift with size")
    sigma = c.dataset["sigma_mean"]
    x = c.dataset["x"]
    rows = []
    for (low, high), change, margin, spread in zip(BANDS.values(), *c.drift, strict=True):
        noise = float(sigma.where((x >= low) & (x <= high)).mean())
        if np.isfinite(change):
            rows.append(
                (abs(change) > margin, spread >= (noise if np.isfinite(noise) else _UNKNOWN_NOISE), change, margin)
            )
    if not rows:
        return Finding("drift", True, "the curves share no band of x in which a drift could be seen")
    clear, large, change, margin = max(rows, key=lambda row: (row[0] and row[1], abs(row[2])))
    size = f"{_percent(abs(change))} (99 % margin {_percent(margin)}) from the smallest to the largest size"
    if not clear:
        return Finding("drift", True, f"no steady drift of the curves with size beyond its margin: {size}")
    way = "up" if change > 0 else "down"
    if not large:
        return Finding("drift", True, f"the curves drift {way} with size by {size}, which stays below the seed noise")
    reasons = (
        "horizons that grow too slowly with size, an irreducible loss taken too high, or learning rates that grow too "
        "hot with size"
        if change > 0
        else "horizons that grow too fast with size, an irreducible loss taken too low, or learning rates that grow "
        "too cold with size"
    )
    return Finding("drift", False, f"the curves drift {way} with size by {size}: {reasons}")


def _sizes(c: Collapse) -> list[Finding]:
    odd = c.odd
    if odd.untold:
        return [Finding("sizes", True, odd.untold)]
    if not odd.majority:
        return [Finding("sizes", False, "more than a third of the sizes fall out of a common curve")]
    found = [Finding("sizes", False, _long(c, o)) for o in odd.found]
    if not found and odd.furthest is not None:
        name = c.dataset["label"].values[odd.furthest.size]
        text = "no size is further from the others than seeds and their own spread explain"
        found = [Finding("sizes", True, f"{text}; the furthest is {name}: {_scores(odd.furthest)}")]
    return found


def _short(c: Collapse, odd: Odd) -> str:
    cause, _ = _cause(c, odd)
    return f"Size {c.dataset['label'].values[odd.size]} is off: {cause}."


def _long(c: Collapse, odd: Odd) -> str:
    cause, why = _cause(c, odd)
    name = c.dataset["label"].values[odd.size]
    return f"size {name} differs from what the others predict: {_scores(odd)}; {cause}: {why}"


def _scores(odd: Odd) -> str:
    parts = []
    for (name, (low, high)), d, s, t in zip(BANDS.items(), odd.difference, odd.score, odd.threshold, strict=True):
        place = f"{name} (x {low:g} to {high:g})"
        if np.isfinite(d):  # a band before the first observation of a run says nothing
            parts.append(f"{place} {100 * d:+.2f} %, {abs(s):.1f} standard errors ({t:.1f} count)")
    return "; ".join(parts)


def _cause(c: Collapse, odd: Odd) -> tuple[str, str]:
    """Return the likely cause and the reason to think so."""
    named = {name: d for name, d in zip(BANDS, odd.difference, strict=True) if name in odd.bands}
    signs = {d > 0 for d in named.values()}
    above = sum(named.values()) > 0
    side = "above" if above else "below"
    recorded = _recorded(c, odd.size, above)
    if recorded:
        return recorded
    if tuple(named) == ("early",):
        return "likely warm-up or initialisation", "it differs early only, and joins the others later"
    if tuple(named) == ("late",):
        return (
            "likely the end of its schedule, or a disturbance late in training",
            f"it lies {side} the others late only",
        )
    if len(signs) == 2:
        return (
            "likely its learning rate or schedule",
            "it crosses the others, which a longer or shorter horizon does not",
        )
    if c.design.straight:
        rate = "too high" if above else "too low"
        return (
            f"likely its learning rate, {rate} for it",
            f"it lies {side} the others and its horizon follows their power law",
        )
    if above:
        return (
            "likely learning rate or horizon",
            "it lies above the others, as with a rate too high or a horizon too short",
        )
    return "likely learning rate or horizon", "it lies below the others, as with a rate too low or a horizon too long"


def _recorded(c: Collapse, p: int, above: bool) -> tuple[str, str] | None:
    """Return what the records of the size show, if they explain the side on which its curve lies."""
    d = c.design
    names = {
        str(r)
        for r, n in zip(c.dataset["run"].values, c.dataset["run_size"].values, strict=True)
        if n == c.dataset["size"].values[p]
    }
    if p in d.horizon and (d.horizon[p] < 1.0) == above:
        return (
            f"likely its horizon, {d.horizon[p]:.3g} times what the others' law gives",
            f"a {'shorter' if above else 'longer'} horizon moves the whole curve {'up' if above else 'down'}, as seen",
        )
    if p in d.peak_lr:
        return (
            f"likely its learning rate, {d.peak_lr[p]:.3g} times what the others' law gives",
            "its recorded peak is not theirs",
        )
    if names & set(d.schedule):
        return "likely its learning-rate schedule", "its recorded rate over x is not theirs"
    if p in d.batch:
        return (
            f"likely its batch, {d.batch[p]:.3g} times what the others' law gives",
            "its recorded batch is not theirs",
        )
    return None


def _gamma(g: HorizonExponent, c: Collapse) -> Finding:
    how = "the compute-optimal frontier" if g.method == "frontier" else "the best collapse"
    if np.isnan(g.value):
        return Finding(f"gamma by {g.method}", True, f"no horizon exponent from {how}: {g.untold}")
    if np.isnan(g.low):
        return Finding(f"gamma by {g.method}", True, f"horizon exponent {g.value:.3f} from {how}; {g.untold}")
    text = f"horizon exponent {g.value:.3f} ({100 * g.level:.0f} % interval {g.low:.3f} to {g.high:.3f}) from {how}"
    own = c.design.exponent
    ok = g.low <= own <= g.high or c.dataset.attrs["horizon"] != "own end"
    return Finding(f"gamma by {g.method}", ok, text + ("" if ok else f", and the runs were trained with {own:.3f}"))
