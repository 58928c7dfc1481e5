"""Loops on plain arrays: the only place that knows about Numba and CUDA.

- `philox`    counter-based random words, normals and chi-square variables: no state, any order, any device;
- `sgd`       one exact-in-law step of one-pass SGD, and a run of many;
- `moments`   the expectation of that step, for exact theory under any schedule;
- `secular`   roots of a diagonal matrix plus rank one;
- `resolvent` the large-d limit's resolvent, continued along a contour;
- `bundle`    several runs laid out for a backend;
- `cpu`, `gpu`  the same functions for the two backends; `backends.resolve` picks one;
- `dense`     a feature matrix to its eigenvalues and initial error, on NumPy or CuPy arrays.

Kernels never allocate, seed, validate or raise: callers do, and what happened comes back as a status code.
"""
