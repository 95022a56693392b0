"""Backward passes as people have them: functions with a cache, objects, PyTorch, JAX's custom rules."""
