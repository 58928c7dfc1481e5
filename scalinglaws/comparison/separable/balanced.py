"""Coordinates in which a fit does not crawl: each amplitude times the size of its feature at the shapes of the moment.

The sum A N^-a hardly changes along A = c N0^a with N0 a typical size, a valley that bends the more, the farther N0 is
from 1. In the product of A and the root mean square of N^-a over the records it is straight. Only the path to the
minimum differs, never the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.separable.minimise import End

__all__ = ["Balance"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Balance:
    """The sizes of all features at some shapes.

    Parameters
    ----------
    width
        Root mean square of each feature over the measured losses, shape (a,).
    slope
        Derivatives of its logarithm by the logarithms of the free shapes, shape (a, s).
    """

    width: Array
    slope: Array

    @classmethod
    def of(cls, features: Array, slopes: Array, loss: Array) -> Balance:
        """Measure features (n, a) and their derivatives by log shapes (n, a, s).

        Examples
        --------
        >>> size = np.array([3.0, 4.0])
        >>> balance = Balance.of(size[:, None] ** -1.0, -(np.log(size) / size)[:, None, None], np.ones(2))
        >>> balance.width.round(4).tolist(), balance.slope.round(4).tolist()
        ([0.2946], [[-1.2022]])
        """
        scaled = features / loss[:, None]
        width = np.maximum(np.sqrt(np.mean(scaled**2, axis=0)), 1e-300)
        slope = np.einsum("na,nas->as", scaled / width, slopes / loss[:, None, None]) / (loss.size * width[:, None])
        return cls(width=width, slope=slope)

    def enter(self, theta: Array) -> Array:
        """Return balanced coordinates of a point."""
        return np.concatenate([theta[: self.width.size] * self.width, theta[self.width.size :]])

    def leave(self, balanced: Array) -> Array:
        """Return the point with these balanced coordinates."""
        return np.concatenate([balanced[: self.width.size] / self.width, balanced[self.width.size :]])

    def jacobian(self, plain: Array, theta: Array) -> Array:
        """Turn derivatives by plain coordinates at a point, shape (..., p), into those by balanced ones."""
        count = self.width.size
        by_shape = plain[..., count:] - plain[..., :count] @ (theta[:count, None] * self.slope)
        return np.concatenate([plain[..., :count] / self.width, by_shape], axis=-1)

    def end(self, balanced: End) -> End:
        """Return the end of a minimisation over balanced coordinates in plain ones."""
        theta = self.leave(balanced.theta)
        return replace(
            balanced,
            theta=theta,
            gradient=self._plain(balanced.gradient, theta),
            jacobian=self._plain(balanced.jacobian, theta),
        )

    def _plain(self, derivatives: Array, theta: Array) -> Array:
        """Undo `jacobian`."""
        count = self.width.size
        by_amplitude = derivatives[..., :count] * self.width
        by_shape = derivatives[..., count:] + by_amplitude @ (theta[:count, None] * self.slope)
        return np.concatenate([by_amplitude, by_shape], axis=-1)
