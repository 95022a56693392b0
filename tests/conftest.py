"""Settings of every test: a strict JAX on the CPU, and a Hypothesis that repeats itself by default."""

import os

# Environment variables, not jax.config: most tests of mlp_ref never load JAX. Set here, before anything can.
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import pytest
from hypothesis import HealthCheck, settings

from verify.evaluate.budget import Budget

# No deadline: the first case of a shape compiles. HYPOTHESIS_PROFILE=dev draws more cases, new ones each run.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None, max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Ten times the seconds for every stage after a failure: no report depends on how busy the machine is."""
    stage = Budget.stage
    monkeypatch.setattr(Budget, "stage", lambda self, seconds: stage(self, 10 * seconds))
