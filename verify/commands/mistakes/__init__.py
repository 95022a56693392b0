"""The mutation score: which mistakes of the catalogue the oracle catches and names (`python -m verify mistakes`)."""
