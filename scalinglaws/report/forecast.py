"""A forecast in words, as the terminal and the page both give it, and the file that carries its figure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from scalinglaws._files import atomic_path, write_text
from scalinglaws.comparison.schedule_laws import Forecast
from scalinglaws.plotting.style import data_uri, human, styled
from scalinglaws.report.diagram import check_out
from scalinglaws.report.layout import fill

__all__ = ["HEADER", "forecast_sentence", "law_rows", "plain_forecast", "write_forecasts"]

HEADER = ["law", "parameters", "end loss", "mean error, fitted", "mean error, not fitted"]
"""Columns of `law_rows`."""

_CAPTION = (
    "Learning rates above, loss below: measured curves, the law on them, and the forecast with its interval. The "
    "interval holds what the records leave open within the law; the marks at the end are other laws, fitted to the "
    "same runs, and their spread is what it does not hold."
)


def forecast_sentence(forecast: Forecast) -> str:
    """Say the answer: the end loss, its interval, and how far the laws agree."""
    loss, low, high = forecast.end()
    path, level = forecast.path, 100 * float(forecast.curve.attrs["level"])
    said = (
        f"{forecast.size}: {forecast.target} over {human(path.steps)} updates at peak rate {path.peak:.3g} ends at "
        f"loss {loss:.4f} ({low:.4f} to {high:.4f}, {level:.0f} % interval, {forecast.fit.law} law)."
    )
    rivals = {name: value for name, value in forecast.opinions().items() if name != forecast.fit.law.name}
    if not rivals:
        return said
    apart = max(rivals, key=lambda name: abs(rivals[name] - loss))
    return f"{said} Of {len(rivals)} other laws, {apart} is furthest from it, with {rivals[apart]:.4f}."


def law_rows(forecast: Forecast) -> list[list[str]]:
    """List every law: its parameters, its end loss, and its mean relative error on fitted and other runs."""
    fits = {forecast.fit.law.name: forecast.fit, **forecast.others}
    rows = []
    for name, loss in forecast.opinions().items():
        fit = fits[name]
        inside = float(abs(fit.residuals()).mean())
        outside = "-"
        if forecast.judged is not None:
            outside = f"{100 * float(forecast.judged['PredE'].sel(law=name).mean()):.3f} %"
        rows.append([name, str(len(fit.problem.names)), f"{loss:.4f}", f"{100 * inside:.3f} %", outside])
    return rows


def plain_forecast(forecast: Forecast) -> dict[str, Any]:
    """Return plain values, for JSON."""
    loss, low, high = forecast.end()
    judged = forecast.judged
    return {
        "size": forecast.size,
        "target": forecast.target,
        "steps": forecast.path.steps,
        "peak": forecast.path.peak,
        "loss": loss,
        "interval": [low, high],
        "level": float(forecast.curve.attrs["level"]),
        "laws": forecast.opinions(),
        "not_fitted": None
        if judged is None
        else {str(n): {k: float(judged[k].sel(law=n).mean()) for k in judged.data_vars} for n in judged["law"].values},
        "cautions": list(forecast.cautions),
        "curve": {str(k): v.values.tolist() for k, v in forecast.curve.variables.items()},
        "fit": forecast.fit.to_dict(),
    }


def write_forecasts(forecasts: Sequence[Forecast], path: str | os.PathLike[str]) -> None:
    """Draw forecasts to `path` (.html, .png or .svg), atomically.

    Raises
    ------
    InputError
        For another suffix.
    """
    from scalinglaws.plotting.forecast import draw_forecasts

    out = check_out(path)
    with styled():
        figure = draw_forecasts(list(forecasts))
        if out.suffix == ".html":
            write_text(out, _page(forecasts, data_uri(figure)))
        else:
            with atomic_path(out) as temporary:
                figure.savefig(temporary, format=out.suffix[1:])


def _page(forecasts: Sequence[Forecast], uri: str) -> str:
    notes = [f"{f.size}: {caution}." for f in forecasts for caution in f.cautions]
    notes += [f.fit.summary().split("\nwarning")[0].replace("\n", "; ") for f in forecasts]
    return fill(
        "diagram.html.j2",
        title=f"Forecast: {forecasts[0].target}",
        paragraph=" ".join(forecast_sentence(forecast) for forecast in forecasts),
        uri=uri,
        caption=_CAPTION,
        header=["size", *HEADER],
        rows=[[forecast.size, *row] for forecast in forecasts for row in law_rows(forecast)],
        notes=[*notes, f"scalinglaws {version('scalinglaws')}"],
    )
