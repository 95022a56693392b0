"""The quantile of a band: how many standard deviations a rounding error exceeds with a given probability."""

from __future__ import annotations

import numpy as np

SAMPLES = 128
"""K: how many evaluations sigma is estimated from."""


def band_quantile(probability: float, samples: int = SAMPLES) -> float:
    """The quantile q of a band: an error exceeds q estimated standard deviations with at most this probability.

    Raises
    ------
    ValueError
        When the probability is not between 0 and 1.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability must lie between 0 and 1; got {probability!r}")
    return float(np.sqrt(samples * np.expm1(2 / samples * np.log(2 / probability))))
