"""Manual gradients against autodiff, in time: ``python -m verify bench``.

`cells` says what is computed and `peers` who computes it; `crew` keeps each peer in a process of its own and has them
take turns; `truth` checks every result before it is timed. `gradients`, `training` and `scale` are the three parts of
a run, and `page` and `plot` show what they found.
"""
