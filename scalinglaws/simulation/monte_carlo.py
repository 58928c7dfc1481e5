"""The front door of simulation: `simulate` for one problem, `simulate_many` for several at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws._progress import Report, silent
from scalinglaws._random import RNGLike, replicate_seed, seed_sequence
from scalinglaws.curves.risk import risk_curves
from scalinglaws.errors import InputError, require
from scalinglaws.kernels import gpu
from scalinglaws.kernels.backends import resolve
from scalinglaws.kernels.bundle import Problem
from scalinglaws.kernels.sgd import DIVERGED
from scalinglaws.models import PLRF, GaussianLeastSquares, Instance, Model
from scalinglaws.optimizers import SGD
from scalinglaws.simulation import explicit, reduced
from scalinglaws.simulation.features import features_of
from scalinglaws.steps import check_steps

__all__ = ["simulate", "simulate_many"]


def simulate(
    model: Model,
    opt: SGD,
    steps: ArrayLike,
    *,
    replicates: int = 1,
    rng: RNGLike = None,
    method: str = "reduced",
    backend: str = "auto",
    workers: int | None = None,
    progress: Report = silent,
) -> xr.Dataset:
    r"""Simulate one-pass SGD on one draw of the model's random features.

    The features are drawn once; the replicates are independent runs on them. With method "reduced" a run
    costs O(d) an update for any v and any batch and has exactly the law of SGD on fresh samples
    (`scalinglaws.kernels.sgd` derives it).

    Parameters
    ----------
    model
        `PLRF` or `GaussianLeastSquares`.
    opt
        Learning rate and batch, constant or scheduled.
    steps
        Numbers of updates after which the risk is recorded, increasing whole numbers >= 0; see `log_steps`.
    replicates
        Independent runs.
    rng
        Integer, SeedSequence, Generator or None (SPEC 7). Replicate i is the same for any number of workers
        and replicates, and the random features are those of `solve(..., method="instance", rng=rng)`.
    method
        "reduced", or "explicit" to draw every sample in v dimensions (small models; on the processor).
    backend
        "cpu", "gpu" (a CUDA device and CuPy), or "auto" for the device when there is one. The same `rng`
        gives the same runs on both, up to rounding that grows along a run.
    workers
        Threads of the reduced method; None for one on each processor this process may use.
    progress
        Told how many updates are done.

    Returns
    -------
    Dataset with `risk` (replicate, step), `status` (replicate: "finished" or "diverged"), and `lr`, `samples`
    and `flops` = d * samples over `step`. The risk of a diverged run is inf from where it broke off.

    Raises
    ------
    InputError
        For steps that do not increase, counts that are not positive integers, an unknown method or backend, a
        missing device, or a model whose features cannot be drawn.

    References
    ----------
    Paquette, Paquette, Xiao, Pennington, 4+3 Phases of Compute-Optimal Neural Scaling Laws, arXiv 2405.15074,
    equation (2) for the update.

    Examples
    --------
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.optimizers import SGD
    >>> model, opt = PLRF(alpha=1.0, beta=0.7, d=50), SGD(lr=0.1, batch=4)
    >>> ds = simulate(model, opt, [0, 10, 100], replicates=3, rng=0)
    >>> ds["risk"].dims, ds["status"].values.tolist()
    (('replicate', 'step'), ['finished', 'finished', 'finished'])
    >>> bool(ds["risk"].sel(step=100).max() < ds["risk"].sel(step=0).min())
    True
    """
    require(method in ("reduced", "explicit"), "method", method, "must be reduced or explicit")
    if method == "reduced":
        return simulate_many(
            [(model, opt)],
            steps,
            rngs=[rng],
            replicates=replicates,
            backend=backend,
            workers=workers,
            progress=progress,
        )[0]
    require(backend in ("auto", "cpu"), "backend", backend, "must be auto or cpu for the explicit method")
    case, at, seed = _case(model, opt), check_steps(steps), seed_sequence(rng)
    count = _count("replicates", replicates)
    risk, status = explicit.run(
        features_of(model, seed),
        case,
        at,
        seeds=[replicate_seed(seed, i) for i in range(count)],
        ceiling=reduced.CEILING,
        progress=progress,
    )
    return _label(model, opt, at, risk, status, "simulate-explicit", seed)


def simulate_many(
    cases: Sequence[tuple[Model, SGD]],
    steps: ArrayLike,
    *,
    rngs: Sequence[RNGLike],
    replicates: int = 1,
    backend: str = "auto",
    workers: int | None = None,
    progress: Report = silent,
) -> list[xr.Dataset]:
    """Simulate several models or optimizers at once, recorded at the same steps.

    All runs advance together, so that many small problems fill a device. The result is that of `simulate`
    for each case and its entry of `rngs`; equal entries mean common random numbers.

    Parameters
    ----------
    cases
        Pairs of a model and an optimizer.
    steps, replicates, backend, workers, progress
        As in `simulate`.
    rngs
        One for each case, as `rng` in `simulate`.

    Returns
    -------
    One Dataset for each case.

    Raises
    ------
    InputError
        As `simulate`, or when `cases` is empty or `rngs` has another length.

    Examples
    --------
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.optimizers import SGD
    >>> model = PLRF(alpha=1.0, beta=0.7, d=50)
    >>> cases = [(model, SGD(lr=lr)) for lr in (0.1, 0.2, 20.0)]
    >>> [ds["status"].item() for ds in simulate_many(cases, [1000], rngs=[1, 1, 1])]
    ['finished', 'finished', 'diverged']
    """
    require(len(cases) > 0, "cases", cases, "must hold at least one (model, optimizer)")
    require(len(rngs) == len(cases), "rngs", len(rngs), f"must be one for each of the {len(cases)} cases")
    optimizers = [_case(model, opt) for model, opt in cases]
    at = check_steps(steps)
    count = _count("replicates", replicates)
    threads = _count("workers", _processors() if workers is None else workers)
    module = resolve(backend)
    seeds = [seed_sequence(rng) for rng in rngs]
    problems = [_problem(model, seed, count, module) for (model, _), seed in zip(cases, seeds, strict=True)]
    risk, status = reduced.run(problems, optimizers, at, backend=module, workers=threads, progress=progress)
    return [
        _label(model, opt, at, risk[i * count :][:count], status[i * count :][:count], "simulate", seed)
        for i, ((model, opt), seed) in enumerate(zip(cases, seeds, strict=True))
    ]


def _problem(model: Model, seed: np.random.SeedSequence, replicates: int, backend: ModuleType) -> Problem:
    on_device = backend is gpu and isinstance(model, PLRF)
    instance = _instance_on_device(model, seed) if on_device else model.instance(seed)
    keys = [replicate_seed(seed, i).generate_state(3) for i in range(replicates)]
    return Problem(
        eigenvalues=instance.eigenvalues,
        rho=instance.rho,
        irreducible=instance.irreducible,
        keys=np.array(keys, dtype=np.uint32),
    )


def _instance_on_device(model: Model, seed: np.random.SeedSequence) -> Instance:
    features = features_of(model, seed)
    eigenvalues, rho, distance = gpu.reduce_features(features.matrix, features.target)
    return Instance(eigenvalues=eigenvalues, rho=rho, irreducible=distance + features.label_noise)


def _label(
    model: Model,
    opt: SGD,
    steps: NDArray[np.int64],
    risk: NDArray[np.float64],
    status: NDArray[np.int8],
    method: str,
    seed: np.random.SeedSequence,
) -> xr.Dataset:
    words = np.where(status == DIVERGED, "diverged", "finished")
    variables: dict[str, tuple[Any, ArrayLike]] = {
        "risk": (("replicate", "step"), risk),
        "status": ("replicate", words),
    }
    ds = risk_curves(model, opt, steps, variables, method=method, seed=seed)
    return ds.assign_coords(replicate=np.arange(risk.shape[0]))


def _case(model: Any, opt: Any) -> Any:
    known = isinstance(model, PLRF | GaussianLeastSquares)
    require(known, "model", model, "must be a PLRF or a GaussianLeastSquares")
    require(isinstance(opt, SGD), "opt", opt, "must be an SGD")
    return opt.resolve(model)


def _count(name: str, value: Any) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        raise InputError(f"{name} = {value!r}: must be an integer >= 1")
    return int(value)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
