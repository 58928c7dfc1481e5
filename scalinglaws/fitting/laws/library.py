"""Published fits with all known digits, to compare with a table and to ask what each would say of a budget.

A rounded law is another law: four digits of Hoffmann et al.'s parameters triple their objective and move D*/N* at
5.88e23 FLOP from 59 to 93. The entries therefore name what was minimised, on which data, how N was counted, and where
the runs ended; outside of that each of them is an extrapolation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError
from scalinglaws.fitting.laws.chinchilla import CHINCHILLA, TIED
from scalinglaws.fitting.laws.kaplan import KAPLAN
from scalinglaws.fitting.laws.law import Law
from scalinglaws.fitting.laws.repetition import REPETITION

__all__ = ["Library", "PublishedLaw", "published"]

Array = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLaw:
    """A law with the parameters that somebody published.

    Parameters
    ----------
    name
        Key of the library.
    law, params
        The law and its parameters; the loss is in nats per token of the publication's tokenizer.
    source
        Paper, and where in it the numbers stand.
    estimator
        What was minimised.
    data
        Runs behind the fit.
    counts
        What N counts: "total", "non-embedding" or "as reported".
    params_range, tokens_range
        Smallest and largest N and D that were fitted, where known.
    note
        What else to know before quoting it; "" if nothing.
    """

    name: str
    law: Law
    params: Mapping[str, float]
    source: str
    estimator: str
    data: str
    counts: str
    params_range: Range | None = None
    tokens_range: Range | None = None
    note: str = ""

    def predict(self, n: ArrayLike, d: ArrayLike, **at: ArrayLike) -> Array:
        """Return the law's loss at N and D, which broadcast and may be infinite.

        Examples
        --------
        >>> round(published["hoffmann"].predict(70e9, 1.4e12).item(), 4)
        1.9208
        """
        from scalinglaws.fitting.quantities import positive

        places = {name: positive(name, values, limit=True) for name, values in {"n": n, "d": d, **at}.items()}
        return self.law.predict(self.params, **places)

    def optimal(self, flops: ArrayLike) -> xr.Dataset:
        """Return the compute-optimal N, D, D/N and loss over budgets C = 6 N D.

        Returns
        -------
            As `Fit.optimal`, with `inside`: whether N* and D* lie within what was fitted.

        Examples
        --------
        >>> published["hoffmann"].optimal(5.88e23).tokens_per_param.item()
        59.0...
        """
        from scalinglaws.fitting.quantities import optimal_dataset

        ds = optimal_dataset(self.law, self.params, flops)
        inside = _within(ds["params"].values, self.params_range) & _within(ds["tokens"].values, self.tokens_range)
        ds["inside"] = ("flops", inside, {"long_name": "whether N* and D* lie within what was fitted"})
        ds.attrs |= {"name": self.name, "source": self.source}
        return ds

    def compare(self, table: Any, estimator: str = "huber", delta: float = 1e-3) -> float:
        """Return the objective of this law on a table: the smaller, the closer.

        Parameters
        ----------
        table
            Whatever `fitting.as_table` accepts, in nats per token of a comparable tokenizer.
        estimator, delta
            Of `fitting.estimator`; the number can be held against `Fit.objective` of the same table.

        Examples
        --------
        >>> table = {"params": [1e8, 1e9], "tokens": [2e9, 2e10], "loss": [3.1, 2.5]}
        >>> published["hoffmann"].compare(table) < published["kaplan"].compare(table)
        True
        """
        from scalinglaws.fitting.estimators import estimator as objective
        from scalinglaws.fitting.table import as_table

        rows = as_table(table)
        columns = {name: rows.column(name) for name in self.law.covariates if name != "unique_tokens"}
        if "unique_tokens" in self.law.covariates and {"unique_tokens", "epochs"} & set(rows.extra):
            columns["unique_tokens"] = rows.column("unique_tokens")
        predicted = self.law.predict(self.params, **columns)
        return objective(estimator, delta).objective(predicted, rows.loss, rows.weight)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        names = ("name", "source", "estimator", "data", "counts", "params_range", "tokens_range", "note")
        return {k: getattr(self, k) for k in names} | {"law": self.law.name, "params": dict(self.params)}


def _within(values: Array, span: Range | None) -> NDArray[np.bool_]:
    """Whether values lie in a range; nothing lies in an unknown one."""
    low, high = span or (np.inf, -np.inf)
    return np.asarray((values >= low) & (values <= high))


class Library(Mapping[str, PublishedLaw]):
    """Published laws by name.

    Examples
    --------
    >>> sorted(published)[:3]
    ['besiroglu', 'besiroglu-huber', 'besiroglu-l1']
    """

    def __init__(self, laws: Iterable[PublishedLaw]) -> None:
        self._laws = {law.name: law for law in laws}

    def __getitem__(self, name: str) -> PublishedLaw:
        if name not in self._laws:
            raise InputError(f"published law = {name!r}: must be one of {', '.join(self._laws)}")
        return self._laws[name]

    def __contains__(self, name: object) -> bool:
        return name in self._laws

    def __iter__(self) -> Iterator[str]:
        return iter(self._laws)

    def __len__(self) -> int:
        return len(self._laws)

    def at(self, flops: ArrayLike, names: Iterable[str] | None = None) -> xr.Dataset:
        """Say what each law says of budgets C = 6 N D, side by side.

        Parameters
        ----------
        flops
            One budget or several, in FLOP.
        names
            Laws to ask; by default all.

        Returns
        -------
            Over `name` and `flops`: params, tokens, tokens_per_param, loss and inside; over `name`: source and
            counts, without which N* cannot be compared.

        Examples
        --------
        >>> said = published.at(5.88e23, ["hoffmann", "hoffmann-rounded", "besiroglu-l1"])
        >>> said.tokens_per_param.values.ravel().round(1)
        array([59. , 92.8, 18.3])
        """
        chosen = [self[name] for name in (self if names is None else names)]
        if not chosen:
            raise InputError("names: none given, and a comparison needs one or more")
        said = xr.concat([law.optimal(flops).drop_attrs() for law in chosen], dim="name")
        coords: dict[str, Any] = {"name": [law.name for law in chosen]}
        coords |= {key: ("name", [str(getattr(law, key)) for law in chosen]) for key in ("source", "counts")}
        return said.assign_coords(coords)

    def compare(self, table: Any, estimator: str = "huber", delta: float = 1e-3) -> dict[str, float]:
        """Return the objective of every law on a table, the closest first.

        Examples
        --------
        >>> table = {"params": [1e8, 1e9], "tokens": [2e9, 2e10], "loss": [3.1, 2.5]}
        >>> list(published.compare(table))[0]
        'hoffmann'
        """
        found = {name: law.compare(table, estimator, delta) for name, law in self._laws.items()}
        return dict(sorted(found.items(), key=lambda item: item[1]))


_HOFFMANN = "Hoffmann et al. (2022), arXiv 2203.15556, "
_BESIROGLU = "Besiroglu et al. (2024), arXiv 2404.10102, "
_MUENNIGHOFF = "Muennighoff et al. (2023), arXiv 2305.16264, appendix A"
_GADRE = "Gadre et al. (2024), arXiv 2403.08540, table of fits, digits of the authors' code"

_HUBER = "Huber of log loss, delta 1e-3"
_MASSIVETEXT = "over 400 runs on MassiveText"
_POINTS = "240 points read off figure 4 of Hoffmann et al."

_CHINCHILLA_RANGES: dict[str, Any] = {"params_range": (7e7, 1.6e10), "tokens_range": (5e9, 5e11)}
_POINT_RANGES: dict[str, Any] = {"params_range": (5.7334e7, 1.61833e10), "tokens_range": (8.1868e8, 3.17754e11)}


def _gadre(corpus: str, alpha: float, a: float, b: float, floor: float) -> PublishedLaw:
    """Turn L = E + (a M^eta + b M^-eta) C^-eta, M = D/N, C = 6ND, into powers of N and D (alpha = 2 eta).

    The published a is 6^eta times the coefficient of N, and so is b of D.
    """
    return PublishedLaw(
        name=f"gadre-{corpus.lower()}",
        law=TIED,
        params={"E": floor, "A": a, "B": b * 6.0 ** (-alpha / 2.0), "alpha": alpha},
        source=_GADRE,
        estimator="least squares of the loss",
        data=f"5 runs on {corpus}, loss on C4: four at 20 tokens per parameter, the smallest also at 320",
        counts="total",
        params_range=(1.0569e7, 4.1162e8),
        tokens_range=(2.1138e8, 8.2324e9),
    )


published = Library(
    (
        PublishedLaw(
            name="hoffmann",
            law=CHINCHILLA,
            params={
                "E": float(np.exp(0.5267228)),
                "A": float(np.exp(6.0073404)),
                "B": float(np.exp(6.0179186)),
                "alpha": 0.33917084,
                "beta": 0.2849083,
            },
            source=_HOFFMANN + "approach 3, unrounded in a comment of the TeX source",
            estimator=_HUBER,
            data=_MASSIVETEXT,
            counts="total",
            note="Its search stopped before the minimum (Besiroglu et al. 2024).",
            **_CHINCHILLA_RANGES,
        ),
        PublishedLaw(
            name="hoffmann-rounded",
            law=CHINCHILLA,
            params={"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
            source=_HOFFMANN + "eq. 10",
            estimator=_HUBER,
            data=_MASSIVETEXT,
            counts="total",
            note="The most quoted digits; rounding triples the objective. Use `hoffmann`.",
            **_CHINCHILLA_RANGES,
        ),
        PublishedLaw(
            name="besiroglu",
            law=CHINCHILLA,
            params={"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
            source=_BESIROGLU + "table 1, as printed",
            estimator="absolute values of log loss, except E",
            data=_POINTS,
            counts="total",
            note="Given as the Huber fit; the digits are those of `besiroglu-l1`, E those of `besiroglu-huber`.",
            **_POINT_RANGES,
        ),
        PublishedLaw(
            name="besiroglu-l1",
            law=CHINCHILLA,
            params={
                "E": 1.816864133,
                "A": 482.0060548,
                "B": 2085.436245,
                "alpha": 0.3478130701,
                "beta": 0.3658541643,
            },
            source=_BESIROGLU + "refitted here from their data",
            estimator="absolute values of log loss",
            data=_POINTS,
            counts="total",
            **_POINT_RANGES,
        ),
        PublishedLaw(
            name="besiroglu-huber",
            law=CHINCHILLA,
            params={
                "E": 1.817218099,
                "A": 477.8258682,
                "B": 2143.417363,
                "alpha": 0.3473104989,
                "beta": 0.3671724326,
            },
            source=_BESIROGLU + "refitted here from their data",
            estimator=_HUBER,
            data=_POINTS,
            counts="total",
            **_POINT_RANGES,
        ),
        PublishedLaw(
            name="kaplan",
            law=KAPLAN,
            params={"alpha_N": 0.076, "alpha_D": 0.103, "N_c": 6.4e13, "D_c": 1.8e13},
            source="Kaplan et al. (2020), arXiv 2001.08361, eq. 1.5 and table 2",
            estimator="not stated",
            data="runs on WebText2, stopped early",
            counts="non-embedding",
            params_range=(768.0, 1.5e9),
            tokens_range=(2.2e7, 2.3e10),
            note="Of runs stopped when they overfit; the paper's own allocation, N* ~ C^0.73, is from another fit.",
        ),
        PublishedLaw(
            name="muennighoff",
            law=REPETITION,
            params={
                "E": float(np.exp(0.6254804)),
                "A": float(np.exp(6.255414)),
                "B": float(np.exp(7.3049974)),
                "alpha": 0.3526596,
                "beta": 0.3526596,
                "R_D": 15.387756,
                "R_N": 5.309743,
            },
            source=_MUENNIGHOFF,
            estimator=_HUBER,
            data="182 runs on C4, up to 500 epochs",
            counts="as reported",
            params_range=(7.098752e6, 8.67e9),
            tokens_range=(1e8, 9e11),
            note="R_D and R_N lie on a ridge: R_D from 8 to beyond 1000 fits within 1 % of the best objective.",
        ),
        _gadre("C4", 0.242472, 113.693, 189.516, 1.508261),
        _gadre("RedPajama", 0.272851, 166.211, 366.687, 1.836648),
        _gadre("RefinedWeb", 0.254395, 125.096, 246.207, 1.734462),
    )
)
"""The library."""
