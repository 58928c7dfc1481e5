"""Compute-optimal sizes and held-out validation, each with an interval."""
