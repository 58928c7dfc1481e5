"""Every law: its formula, its derivatives, recovery, its optimum, and what cannot be asked of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, as_table, fit
from scalinglaws.fitting.derivatives import log_surface
from scalinglaws.fitting.estimators import estimator
from scalinglaws.fitting.identifiability import check_design
from scalinglaws.fitting.information import compare_laws
from scalinglaws.fitting.laws import LAWS, MonomialLaw, find_law, plrf_law
from scalinglaws.fitting.laws.jets import Jet, exp, log, log1p, logaddexp, smaller, variable
from scalinglaws.fitting.polish import polish
from scalinglaws.fitting.problem import Problem
from tests.fitting.conftest import TRUTH, ladder, second_metric, seen_twice
from tests.fitting.test_malformed import attempt, sentence
from tests.naive import laws as naive

E_A = {"E": 1.8, "A": 480.0}
CASES: dict[str, tuple[Any, dict[str, float]]] = {
    "chinchilla": (naive.chinchilla, TRUTH),
    "tied": (naive.tied, {**E_A, "B": 2100.0, "alpha": 0.36}),
    "chinchilla-no-e": (naive.no_floor, {"A": 60.0, "B": 90.0, "alpha": 0.2, "beta": 0.15}),
    "kaplan": (naive.kaplan, {"alpha_N": 0.076, "alpha_D": 0.103, "N_c": 6.4e13, "D_c": 1.8e13}),
    "kaplan-e": (naive.kaplan, {"E": 1.5, "alpha_N": 0.25, "alpha_D": 0.28, "N_c": 4e8, "D_c": 8e9}),
    "skaling": (naive.skaling, {**E_A, "alpha": 0.45, "beta": 0.48, "R": 8.0, "k": 0.75}),
    "broken": (naive.broken, {**E_A, "B": 400.0, "alpha": 0.36, "beta": 0.28, "delta": 0.4, "D_b": 1e9}),
    "plrf": (naive.plrf, {"F_0": 3e6, "F_pp": 5e5, "F_ac": 4e6, "K_pp": 8e5, "alpha": 0.8, "beta": 0.7}),
}


def design(rows: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return 10 ** rng.uniform(7, 10, rows), 10 ** rng.uniform(8, 11.5, rows)


def measured(name: str, noise: float = 0.0, rows: int = 60, seed: int = 0) -> Table:
    formula, truth = CASES[name]
    n, d = (10 ** np.random.default_rng(seed).uniform(2, 5, (2, rows))) if name == "plrf" else design(rows, seed)
    loss = np.array([formula(truth, *row) for row in zip(n, d, strict=True)])
    return Table(params=n, tokens=d, loss=loss * np.exp(noise * np.random.default_rng(seed + 1).standard_normal(rows)))


def repeated(noise: float = 0.0, rows: int = 80) -> tuple[Table, dict[str, float]]:
    truth = {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.353, "beta": 0.353, "R_D": 15.4, "R_N": 5.3}
    rng = np.random.default_rng(3)
    n, unique = 10 ** rng.uniform(7, 10, rows), 10 ** rng.uniform(8, 10, rows)
    d = unique * np.where(np.arange(rows) % 3 == 0, 1.0, 10 ** rng.uniform(0, 2, rows))
    loss = np.array([naive.repetition(truth, *row) for row in zip(n, d, unique, strict=True)])
    loss = loss * np.exp(noise * rng.standard_normal(rows))
    return Table(params=n, tokens=d, loss=loss, extra={"epochs": d / unique}), truth


@pytest.mark.parametrize("name", CASES)
def test_prediction_is_the_formula(name: str) -> None:
    formula, truth = CASES[name]
    n, d = design(12)
    expected = [formula(truth, *row) for row in zip(n, d, strict=True)]
    assert find_law(name).predict(truth, n, d) == pytest.approx(expected, rel=1e-12)
    draws = {key: np.full((3, 1), value) for key, value in truth.items()}
    assert find_law(name).predict(draws, n, d).shape == (3, 12)


@pytest.mark.parametrize("name", CASES)
def test_exact_data_give_every_law_back(name: str) -> None:
    fitted = fit(measured(name), law=name)
    assert fitted.converged
    for key, value in CASES[name][1].items():
        assert fitted.params[key] == pytest.approx(value, rel=2e-4), key


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("chinchilla", "plrf")])
def test_not_worse_than_scipy_from_the_truth(name: str) -> None:
    table = measured(name, 0.004, rows=30)
    formula, truth = CASES[name]
    rows = list(zip(table.params, table.tokens, strict=True))
    fitted = fit(table, law=name)
    best = naive.searched(formula, truth, rows, table.loss, starts=1)
    assert fitted.converged
    assert fitted.objective == pytest.approx(naive.huber_sum(formula, fitted.params, rows, table.loss), rel=1e-9)
    assert fitted.objective <= best * (1 + 1e-9)


@pytest.mark.parametrize("name", [*CASES, "repetition"])
def test_newton_sees_the_true_derivatives(name: str) -> None:
    """Gradient and Hessian of the polished objective against central differences of the law's own prediction."""
    table, truth = repeated(0.01) if name == "repetition" else (measured(name, 0.01), CASES[name][1])
    problem = Problem.build(find_law(name), estimator("log-l2"), table, {"E": 1.7} if "E" in truth else {})
    theta = fit(table, law=name, estimator="log-l2", fixed={"E": 1.7} if "E" in truth else {}).theta
    theta = theta + 0.01 * np.random.default_rng(0).standard_normal(theta.size) * ~problem.held

    def value(moved: np.ndarray) -> float:
        params = {key: float(v) for key, v in problem.to_values(moved).items()}
        columns = {key: table.column(key) for key in problem.law.covariates}
        return float(np.sum((np.log(problem.law.predict(params, **columns)) - np.log(table.loss)) ** 2))

    def gradient(moved: np.ndarray) -> np.ndarray:
        return polish(problem, moved[None], table.weight[None], max_iterations=0).gradient[0]

    free = np.flatnonzero(~problem.held)
    for i in free:
        h = np.zeros(theta.size)
        h[i] = 1e-5
        assert gradient(theta)[i] == pytest.approx((value(theta + h) - value(theta - h)) / 2e-5, rel=1e-4, abs=1e-7)


def test_jets_against_differences() -> None:
    def formula(x: Any, y: Any) -> Any:
        return logaddexp(x * y, -y) / (1.0 + exp(-x)) + log1p(x**2) * log(y) - smaller(x * 3.0, y) * 2.0

    x, y, h = 0.7, 1.3, 1e-4
    jet = formula(variable(x, 0), variable(y, 1))
    assert isinstance(jet, Jet)
    assert float(jet.value) == pytest.approx(float(formula(x, y)), rel=1e-14)
    first = [(formula(x + h, y) - formula(x - h, y)) / (2 * h), (formula(x, y + h) - formula(x, y - h)) / (2 * h)]
    assert [float(jet.first[i]) for i in (0, 1)] == pytest.approx(first, rel=1e-6)
    cross = (formula(x + h, y + h) - formula(x + h, y - h) - formula(x - h, y + h) + formula(x - h, y - h)) / (
        4 * h * h
    )
    assert float(jet.second[0, 1]) == pytest.approx(cross, rel=1e-5)
    bend = (formula(x + h, y) - 2 * formula(x, y) + formula(x - h, y)) / h**2
    assert float(jet.second[0, 0]) == pytest.approx(bend, rel=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name != "plrf"])
def test_optimum_of_every_law(name: str) -> None:
    formula, truth = CASES[name]
    values = {key: np.array([value, value * 1.01]) for key, value in truth.items()}
    best = find_law(name).optimum({key: v[:, None] for key, v in values.items()}, np.array([1e20, 1e22]))
    assert best.params.shape == (2, 2)
    for draw in range(2):
        for j, flops in enumerate((1e20, 1e22)):
            expected = naive.least_size(formula, {key: v[draw] for key, v in values.items()}, flops)
            assert best.params[draw, j] == pytest.approx(expected, rel=1e-5)
            assert 6 * best.params[draw, j] * best.tokens[draw, j] == pytest.approx(flops)


def test_closed_form_and_search_agree() -> None:
    law = find_law("chinchilla")
    assert isinstance(law, MonomialLaw)
    values = {key: np.asarray(value) for key, value in TRUTH.items()}
    searched = MonomialLaw(name="s", formula="", terms=law.terms, exponent_names=law.exponent_names)
    one, other = (form.optimum(values, np.array([1e18, 1e21, 1e24])) for form in (law, searched))
    assert other.params == pytest.approx(one.params, rel=1e-12)
    assert other.loss == pytest.approx(one.loss, rel=1e-14)


def test_a_law_without_optimum_says_so() -> None:
    values = {key: np.asarray(value) for key, value in {**TRUTH, "A": 0.0}.items()}
    law = LAWS["chinchilla"]
    assert isinstance(law, MonomialLaw)
    searched = MonomialLaw(name="s", formula="", terms=law.terms, exponent_names=law.exponent_names)
    assert searched.optimum(values, np.array([1e21])).params[0] == 0.0
    with pytest.raises(InputError, match="no compute-optimal"):
        LAWS["error"].optimum({"eps": np.array(0.9), "k": np.array(1.0), "gamma": np.array(1.0)}, np.array([1e21]))


def test_repetition() -> None:
    table, truth = repeated()
    law = find_law("repetition")
    unique = table.column("unique_tokens")
    expected = [naive.repetition(truth, *row) for row in zip(table.params, table.tokens, unique, strict=True)]
    assert law.predict(truth, table.params, table.tokens, unique_tokens=unique) == pytest.approx(expected, rel=1e-12)
    # Fewer unique tokens than seen is a loss; all tokens fresh and N below the optimum is Chinchilla's law.
    assert law.predict(truth, 1e8, 1e11) == pytest.approx(naive.chinchilla(truth, 1e8, 1e11), rel=1e-12)
    assert law.predict(truth, 1e8, 1e11, unique_tokens=1e9) > law.predict(truth, 1e8, 1e11)
    fitted = fit(table, law="repetition")
    assert fitted.converged
    for key, value in truth.items():
        assert fitted.params[key] == pytest.approx(value, rel=1e-3), key


@pytest.mark.parametrize("name", ["error", "error-logit"])
def test_second_metric(name: str) -> None:
    formula, truth = (
        (naive.error, {"eps": 0.87, "k": 2.0, "gamma": 0.7})
        if name == "error"
        else (naive.error_logit, {"top": 0.85, "s": 1.1, "mid": 2.2})
    )
    table = ladder()
    errors = np.array([formula(truth, loss) for loss in table.loss])
    given = Table(params=table.params, tokens=table.tokens, loss=table.loss, extra={"error": errors})
    for how in ("l2", "huber"):
        fitted = fit(given, law=name, estimator=how)
        assert fitted.converged
        assert dict(fitted.params) == pytest.approx(truth, rel=1e-4)
        assert fitted.predict(loss=2.5) == pytest.approx(formula(truth, 2.5), rel=1e-6)


@pytest.mark.parametrize(("above_alpha", "above_beta"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_solvable_models_law_is_the_derivation(above_alpha: bool, above_beta: bool) -> None:
    """Names and exponents against the derived terms, evaluated by SymPy itself at one point of each corner."""
    from scalinglaws.symbolic.asymptotics import ALPHA, BETA
    from scalinglaws.symbolic.terms import sgd_terms

    alpha, beta = (0.8 if above_alpha else 0.4), (0.7 if above_beta else 0.35)
    at = {ALPHA: alpha, BETA: beta}
    terms = [t for t in sgd_terms() if all(float(c.subs(at)) > 0 for c in t.when)]
    law = plrf_law(alpha_above=above_alpha, beta_above=above_beta)
    assert sorted(law.amplitudes) == sorted(t.name for t in terms)
    d, r = 1e3, 1e5
    for term in terms:
        values = dict.fromkeys(law.amplitudes, 0.0) | {term.name: 2.0, "alpha": alpha, "beta": beta}
        expected = 2.0 * d ** -float(term.p.subs(at)) * r ** -float(term.q.subs(at))
        assert law.predict(values, d, r) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["skaling", "kaplan-e", "broken"])
def test_any_parameter_can_be_held(name: str) -> None:
    table = measured(name, 0.004)
    free = fit(table, law=name)
    for key, value in CASES[name][1].items():
        held = fit(table, law=name, fixed={key: value})
        assert held.params[key] == value
        assert held.objective >= free.objective * (1 - 1e-9)
        assert held.converged, key


def test_prior_between_free_and_held() -> None:
    table = ladder(0.005, 2)
    free, held = fit(table, estimator="log-l2"), fit(table, estimator="log-l2", fixed={"alpha": 0.3})
    weak, strong = (fit(table, estimator="log-l2", prior={"alpha": (0.3, sd)}).params["alpha"] for sd in (1e3, 1e-7))
    assert weak == pytest.approx(free.params["alpha"], rel=1e-5)
    assert strong == pytest.approx(0.3, rel=1e-5)
    middle = fit(table, estimator="log-l2", prior={"alpha": (0.3, 0.02), "E": (1.8, 0.05)})
    assert middle.converged
    assert min(0.3, free.params["alpha"]) < middle.params["alpha"] < max(0.3, free.params["alpha"])
    assert held.objective >= middle.objective >= free.objective
    # A Gaussian prior on a Gaussian likelihood: the penalised sum of squares over twice the residual variance.
    scale = 2.0 * free.objective / (table.rows - 5)

    def posterior(moved: dict[str, float]) -> float:
        rss = float(np.sum((np.log(free.law.predict(moved, table.params, table.tokens)) - np.log(table.loss)) ** 2))
        log_e = np.log(moved["E"] / 1.8) / 0.05
        return rss / scale + 0.5 * ((moved["alpha"] - 0.3) / 0.02) ** 2 + 0.5 * log_e**2

    rng = np.random.default_rng(0)
    for _ in range(200):
        near = {key: value * np.exp(1e-3 * rng.standard_normal()) for key, value in middle.params.items()}
        assert posterior(near) >= posterior(dict(middle.params)) * (1 - 1e-9)


def test_aicc_is_the_formula() -> None:
    table = ladder(0.004, 1)
    squares = fit(table, estimator="log-l2")
    expected = 15 * np.log(squares.objective / 15) + 2 * 6 + 2 * 6 * 7 / (15 - 7)
    assert squares.aicc == pytest.approx(expected, rel=1e-12)
    assert fit(table).aicc == pytest.approx(expected, rel=1e-9)
    assert squares.bic == pytest.approx(15 * np.log(squares.objective / 15) + 6 * np.log(15), rel=1e-12)


def test_compare_laws_ranks_and_skips() -> None:
    table = measured("skaling", 0.001)
    ranked = compare_laws(table)
    assert ranked.law.values[0] == "skaling"
    assert ranked.difference.values[0] == 0.0
    assert ranked.weight.values.sum() == pytest.approx(1.0)
    few = compare_laws(table.take(np.arange(6)))
    assert "broken" in few.attrs["skipped"]
    assert "broken" not in few.law.values
    with pytest.raises(InputError, match="same column"):
        compare_laws(table, laws=["chinchilla", "error"])


def test_student_t_forgets_an_outlier() -> None:
    table = ladder(0.001, 1)
    loss = table.loss.copy()
    loss[4] *= 1.5
    spoiled = Table(params=table.params, tokens=table.tokens, loss=loss)
    clean = fit(table, estimator="student-t").params["E"]
    assert abs(fit(spoiled, estimator="student-t").params["E"] - clean) < 0.1 * abs(
        fit(spoiled, estimator="log-l2").params["E"] - clean
    )


def test_columns_of_a_mapping_reach_the_law() -> None:
    table, _ = repeated()
    columns = {"params": table.params, "tokens": table.tokens, "loss": table.loss}
    for name, values in (("epochs", table.extra["epochs"]), ("unique_tokens", table.column("unique_tokens"))):
        read = as_table(columns | {name: values})
        assert read.column("unique_tokens") == pytest.approx(table.column("unique_tokens"))
        assert set(read.take([0, 1]).to_dict()) >= {name}


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: fit(ladder(), law="repetition"), "unique_tokens"),
        (lambda: fit(ladder(), law="error"), "error"),
        (lambda: find_law("repetition").predict({}, 1e9), "tokens"),
        (lambda: fit(ladder(), law="skaling", fixed={"R": 0.0}), "> 0"),
        (lambda: fit(ladder(), prior={"alpha": (0.3, 0.0)}), "prior"),
        (lambda: fit(ladder(), prior={"gamma": (0.3, 0.1)}), "one of"),
        (lambda: fit(ladder(), prior={"E": (1.8, 0.1)}, fixed={"E": 1.8}), "held"),
        (lambda: fit(ladder(), estimator="l1", prior={"E": (1.8, 0.1)}), "prior"),
        (lambda: fit(Table(params=[1e6], tokens=[1e7], loss=[3.0], extra={"epochs": [1.0, 2.0]})), "shape"),
        (lambda: Table(params=[1e6], tokens=[1e7], loss=[3.0], extra={"error": [-1.0]}).column("error"), "positive"),
        (lambda: fit(Table(**_once(), extra={"epochs": np.ones(15)}), law="repetition"), "R_D"),
    ],
)
def test_what_cannot_be_asked(call: Any, word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        call()
    assert "\n" not in str(caught.value)


def _once() -> dict[str, Any]:
    table = ladder(0.002)
    return {"params": table.params, "tokens": table.tokens, "loss": table.loss}


@pytest.mark.parametrize("name", LAWS)
def test_odd_tables_give_a_sentence_or_a_flag(name: str) -> None:
    """Collinear, constant, gridded and absurd designs and losses: never a traceback, never a silent failure."""
    rng = np.random.default_rng(sum(map(ord, name)))
    for kind in range(8):
        rows = int(rng.integers(2, 30))
        n, d = 10 ** rng.uniform(5, 11, rows), 10 ** rng.uniform(6, 13, rows)
        n, d = {1: (n, 20 * n), 2: (np.full(rows, 1e8), d), 3: (10 ** np.round(np.log10(n)), d)}.get(kind, (n, d))
        loss = naive.chinchilla(TRUTH, n, d) * np.exp(0.1 * rng.standard_normal(rows))
        loss = {4: np.full(rows, 3.0), 5: 10 ** rng.uniform(-3, 3, rows), 6: loss * 1e30}.get(kind, loss)
        extra = {"epochs": 10 ** rng.uniform(0, 2, rows), "error": rng.uniform(0.1, 0.9, rows)}
        estimator = ("huber", "log-l2", "l2", "student-t")[kind % 4]
        table = Table(params=n, tokens=d, loss=loss, extra=extra)
        fitted = attempt(lambda: fit(table, law=name, estimator=estimator, starts=2))  # noqa: B023
        if isinstance(fitted, InputError):
            assert sentence(fitted)
            continue
        assert fitted.converged or fitted.warnings
        assert all(np.isfinite(value) for value in fitted.params.values())
        assert np.isfinite(fitted.objective)


def test_every_question_reads_the_columns_of_the_law() -> None:
    """Leverage, outliers and resampled tables of laws of other columns, against the law's own prediction."""
    errors, twice = second_metric(), seen_twice()
    cases = (
        (errors, "error", {"loss": errors.loss}),
        (twice, "repetition", {"unique_tokens": twice.extra["unique_tokens"]}),
    )
    for table, name, further in cases:
        fixed = {"alpha": 0.353, "beta": 0.353} if name == "repetition" else None
        fitted = fit(table, law=name, fixed=fixed)
        at = {"n": table.params, "d": table.tokens} if name == "repetition" else {}
        expected = fitted.law.predict(fitted.params, **at, **further)
        target = table.column(fitted.law.target)
        problem = fitted.problem()
        assert np.exp(log_surface(problem, fitted.theta[None], table)[0]) == pytest.approx(expected, rel=1e-9)
        assert fitted.residuals() == pytest.approx(np.log(expected / target), abs=1e-12)
        score = np.log(target / expected)
        assert fitted.outliers().score * fitted.outliers().scale == pytest.approx(score - np.median(score), abs=1e-12)
        drawn = fitted.bootstrap(20, kind="wild", rng=0).draws
        assert drawn is not None
        assert drawn.converged == 1.0


def test_only_laws_of_both_sizes_are_warned_of_collinear_ones() -> None:
    """D = 20 N: what falls with N cannot be told from what falls with D; other laws do not ask for that."""
    n = np.geomspace(1e7, 1e10, 12)
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    loss = (1.8 + 400 / n**0.35) * noise
    table = Table(params=n, tokens=20 * n, loss=loss, extra={"error": 0.9 - 2.0 * np.exp(-0.7 * loss) * noise})
    alone = MonomialLaw(name="size", formula="E + A/N^a", terms=LAWS["chinchilla"].terms[:2], exponent_names=("alpha",))  # type: ignore[attr-defined]
    assert any("collinear" in sentence for sentence in fit(table).warnings)
    for law in (alone, "error"):
        assert not any("collinear" in sentence for sentence in fit(table, law=law).warnings)
        assert not any("collinear" in sentence for sentence in check_design(table, law).warnings)
