"""Tests of a gradient of yours: ``pytest --pyargs verify.conformance --target my_net.py:gradient``.

May import: evaluate, reference, case, subject, checks, diagnosis, oracle.
"""
