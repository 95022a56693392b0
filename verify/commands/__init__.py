"""Commands: `python -m verify COMMAND`, a file or a package each, named as the command.

May import: evaluate, reference, case, subject, checks, diagnosis, oracle.
"""
