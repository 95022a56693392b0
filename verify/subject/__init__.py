"""The subject: a gradient function under test, how it is loaded, adapted and called.

May import: evaluate, reference, case.
"""
