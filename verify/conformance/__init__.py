"""Tests of a gradient of yours: ``pytest --pyargs verify.conformance --target my_net.py:gradient``."""
