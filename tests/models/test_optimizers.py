import json
import math

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, BatchSchedule, relative_lr
from scalinglaws.steps import check_steps, log_steps

MODEL = PLRF(alpha=0.4, beta=1.0, d=100)


def test_mean_reduction_divides_by_the_batch() -> None:
    summed, mean = SGD(0.3, 8).resolve(MODEL), SGD(2.4, 8, "mean").resolve(MODEL)
    np.testing.assert_allclose(summed.rate([0, 5]), mean.rate([0, 5]))


def test_relative_rate_follows_the_batch_and_ignores_the_reduction() -> None:
    batch = BatchSchedule((0, 10), (2, 8))
    for reduction in ("sum", "mean"):
        rate = SGD(relative_lr(0.5), batch, reduction).resolve(MODEL).rate([0, 9, 10])
        np.testing.assert_allclose(rate * MODEL.trace, [0.25, 0.25, 0.0625])
    cosine = SGD(relative_lr(schedules.cosine(0.5, 10)), 2).resolve(MODEL)
    assert cosine.rate(0) == pytest.approx(0.25 / MODEL.trace)
    assert not cosine.is_constant


@pytest.mark.parametrize(
    "opt",
    [
        SGD(0.3),
        SGD(schedules.wsd(0.3, 100, cooldown="sqrt"), 4, "mean"),
        SGD(relative_lr(schedules.cosine(0.5, 10)), {0: 1, 5: 2}),
    ],
)
def test_round_trip(opt: SGD) -> None:
    again = SGD.from_dict(json.loads(json.dumps(opt.to_dict())))
    assert again == opt
    assert hash(again) == hash(opt)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SGD(-0.1), "lr = -0.1: must be a finite rate >= 0 or a Schedule"),
        (lambda: SGD(math.nan), "lr = nan"),
        (lambda: SGD("fast"), "lr = 'fast'"),
        (lambda: SGD(0.1, 2.5), "batch = 2.5: must be an integer >= 1"),
        (lambda: SGD(0.1, 0), "batch = 0: must be an integer >= 1"),
        (lambda: SGD(0.1, True), "batch = True: must be an integer >= 1"),
        (lambda: SGD(0.1, 1, "median"), "reduction = 'median': must be sum or mean"),
        (lambda: SGD(0.1, {5: 1}), "batch steps = .*must start at 0 and increase"),
        (lambda: BatchSchedule((0, 5, 5), (1, 2, 3)), "must start at 0 and increase"),
        (lambda: BatchSchedule((0,), (1, 2)), "needs one size for each step"),
        (lambda: relative_lr(-1.0), "scale = -1.0"),
        (lambda: SGD.from_dict({}), "needs the key lr"),
        (lambda: check_steps([0, 2, 2]), "must be strictly increasing"),
        (lambda: check_steps([1.5]), "must be whole numbers"),
        (lambda: check_steps([-1, 2]), "must lie between 0"),
        (lambda: check_steps([]), "at least one step"),
        (lambda: check_steps(["a"]), "must be numbers"),
        (lambda: check_steps([1e19]), "must lie between 0"),
        (lambda: log_steps(0.5), "t_max = 0.5"),
        (lambda: log_steps(10, 0), "per_decade = 0"),
    ],
)
def test_bad_input_is_one_sentence(make: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        make()  # type: ignore[operator]
    assert "\n" not in str(error.value)


def test_log_steps_reach_the_end_and_increase() -> None:
    for t_max in (1, 7, 1e6, 1e15):
        steps = log_steps(t_max, per_decade=20)
        assert steps[0] == 1
        assert steps[-1] == t_max
        assert np.all(np.diff(steps) > 0)
    assert 13 * 20 < log_steps(1e15).size <= 15 * 20 + 1
