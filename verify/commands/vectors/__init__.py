"""Vectors: known gradients with a bound for every entry, for machines without Python (`python -m verify vectors`)."""
