"""The wild bootstrap: left-out residuals, groups, weights; and how often the default intervals hold."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, fit
from scalinglaws.fitting.derivatives import hat_basis
from scalinglaws.fitting.resampling import WEIGHTS, drawn, grouped, wild_noise
from tests.coverage import study
from tests.fitting.conftest import TRUTH, ladder
from tests.naive import fitting as naive_fit
from tests.naive import uncertainty as naive


def seeds(copies: int, common: float, own: float, seed: int = 0) -> Table:
    """A ladder of 24 configurations, each run several times, with an error of its own and one of each run."""
    rng = np.random.default_rng(seed)
    n = np.repeat(np.geomspace(1e6, 1e9, 8), 3)
    d = n * np.tile([5.0, 20.0, 80.0], 8)
    errors = np.repeat(common * rng.standard_normal(24), copies) + own * rng.standard_normal(24 * copies)
    n, d = np.repeat(n, copies), np.repeat(d, copies)
    return Table(params=n, tokens=d, loss=naive_fit.loss(TRUTH, n, d) * np.exp(errors))


def test_weights_have_mean_zero_and_variance_one() -> None:
    for points, chances in WEIGHTS.values():
        assert chances.sum() == pytest.approx(1)
        assert points @ chances == pytest.approx(0, abs=1e-15)
        assert points**2 @ chances == pytest.approx(1)
    points, chances = WEIGHTS["mammen"]
    assert points**3 @ chances == pytest.approx(1)


def test_leverage_is_what_a_refit_shows() -> None:
    fitted = fit(ladder(1e-4), estimator="log-l2")
    table = fitted.table
    basis = hat_basis(fitted.problem(), fitted.theta, table)
    start = naive.coordinates(fitted.params)
    for row in (0, 7, 14):
        shown = naive.leverage(table.params, table.tokens, table.loss, start, row)
        assert np.sum(basis[row] ** 2) == pytest.approx(shown, rel=0.01)


def test_residuals_are_those_of_the_left_out_row() -> None:
    """To first order: the fit without a row misses it by its residual over one minus its leverage."""
    fitted = fit(ladder(1e-4, seed=3), estimator="log-l2")
    table, problem = fitted.table, fitted.problem()
    labels, _ = grouped(fitted, "run")
    noise = wild_noise(fitted, problem, labels, "rademacher", 1, np.random.default_rng(0))[0]
    start = naive.coordinates(fitted.params)
    for row in (4, 7, 10):
        rest = np.arange(15) != row
        without, _ = naive.least_squares(table.params[rest], table.tokens[rest], table.loss[rest], start)
        missed = np.log(table.loss[row]) - naive.predict(without, table.params[row], table.tokens[row])
        assert abs(noise[row]) == pytest.approx(abs(missed), rel=0.05)


def test_groups_share_their_sign() -> None:
    table = seeds(3, 0.004, 0.0)
    fitted = fit(table, estimator="log-l2")
    labels, word = grouped(fitted, "configuration")
    assert (word, int(labels.max()) + 1) == ("configuration", 24)
    noise = wild_noise(fitted, fitted.problem(), labels, "rademacher", 50, np.random.default_rng(0))
    signs = np.sign(noise * (np.log(table.loss) - np.log(fitted.fitted()))).reshape(50, 24, 3)
    assert (signs == signs[:, :, :1]).all()


@pytest.mark.parametrize("kind", ["wild", "pairs"])
def test_seeds_of_one_configuration_count_once(kind: str) -> None:
    """Copies with one common error teach nothing new: errors by configuration are those of single runs."""
    single = fit(seeds(1, 0.004, 0.0)).bootstrap(300, kind=kind, rng=0).standard_errors()["alpha"]
    copies = fit(seeds(4, 0.004, 0.0))
    together = copies.bootstrap(300, kind=kind, by="configuration", rng=0).standard_errors()["alpha"]
    apart = copies.bootstrap(300, kind=kind, rng=0).standard_errors()["alpha"]
    assert together == pytest.approx(single, rel=0.3)
    assert apart < 0.75 * together


def test_result_names_what_was_done() -> None:
    fitted = fit(seeds(2, 0.004, 0.002))
    few = np.repeat(np.arange(8), 6)
    for options, expected in (
        ({}, ("wild", "run", "rademacher", 48)),
        ({"by": "configuration"}, ("wild", "configuration", "rademacher", 24)),
        ({"by": few}, ("wild", "label", "webb", 8)),
        ({"kind": "pairs", "by": "configuration"}, ("pairs", "configuration", None, 24)),
        ({"kind": "residual"}, ("residual", "run", None, 48)),
        ({"weights": "webb"}, ("wild", "run", "webb", 48)),
    ):
        draws = fitted.bootstrap(20, **options).draws
        assert draws is not None
        assert (draws.kind, draws.by, draws.weights, draws.groups) == expected
        assert set(draws.standard_errors()) == set(fitted.params)


def test_errors_may_differ_between_rows() -> None:
    """Noise on the small runs alone: wild and pairs see that the large ones are exact, residual does not."""
    rng = np.random.default_rng(2)
    n = np.repeat(np.geomspace(1e6, 1e9, 10), 6)
    d = n * np.tile([3.0, 10.0, 30.0, 100.0, 300.0, 1000.0], 10)
    errors = 0.01 * rng.standard_normal(60) * (6 * n * d < 1e17)
    fitted = fit(
        Table(params=n, tokens=d, loss=naive_fit.loss(TRUTH, n, d) * np.exp(errors + 1e-4 * rng.standard_normal(60))),
        estimator="log-l2",
    )
    widths = {}
    for kind in ("wild", "pairs", "residual"):
        low, high = fitted.bootstrap(300, kind=kind, rng=0).interval("surface", n=1e9, d=1e11)
        widths[kind] = high - low
    assert widths["wild"] == pytest.approx(widths["pairs"], rel=0.5)
    assert widths["wild"] < 0.6 * widths["residual"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"kind": "wild", "weights": "normal"}, "rademacher"),
        ({"kind": "wild", "weights": "mammen"}, "median"),
        ({"kind": "pairs", "weights": "webb"}, "wild"),
        ({"by": np.zeros(15)}, "one group"),
        ({"by": np.zeros(3)}, "one label a row"),
        ({"by": "size"}, "configuration"),
        ({"kind": "residual", "by": "cluster"}, "wild"),
        ({"kind": "jackknife"}, "residual"),
    ],
)
def test_wrong_choices(options: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        fit(ladder(0.003)).bootstrap(10, **options)  # type: ignore[arg-type]


def test_groups_that_cannot_be_drawn() -> None:
    fitted = fit(ladder(0.003))
    labels, _ = grouped(fitted, np.arange(15) < 3)
    with pytest.raises(InputError, match="too few"):
        drawn(fitted, fitted.problem(), np.where(labels == 1, 0, 1) * 0 + (np.arange(15) // 14), 5, _TwoOnly())


class _TwoOnly(np.random.Generator):
    """Draws the last group alone, always."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def multinomial(self, n, pvals, size=None):  # type: ignore[no-untyped-def, override]
        counts = np.zeros((size, len(pvals)), int)
        counts[:, -1] = n
        return counts


@pytest.mark.parametrize("design", ["ladder", "isoflop", "scattered"])
def test_default_intervals_hold(design: str) -> None:
    """40 tables with Student noise of 3 degrees; 90 % nominal, 3 sigma of the count around 85 to 95 %."""
    hits = study(design, "t3", None, 40, 80, seed=4)
    assert 0.7 <= hits.n_opt <= 1.0
    assert 0.7 <= hits.loss_opt <= 1.0
    assert 0.7 <= hits.loss <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("design", ["ladder", "isoflop", "scattered"])
@pytest.mark.parametrize("noise", ["gauss", "t4", "t3"])
def test_default_intervals_cover_85_to_95_percent(design: str, noise: str) -> None:
    """The full study; two standard errors of 300 tables are 3.5 %."""
    hits = study(design, noise, None, 300, 200, seed=20)
    assert 0.85 - 0.035 <= hits.n_opt <= 0.95 + 0.025
    assert 0.85 - 0.035 <= hits.loss_opt <= 0.95 + 0.025
