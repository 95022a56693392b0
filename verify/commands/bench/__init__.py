"""Manual gradients against autodiff, in time: ``python -m verify bench``.

`cells` lists what is computed and `peers` who computes it; `crew` keeps each peer in a process of its own, where
`peer_worker` answers; `true_results` checks every result before it is timed. `rows`, `scale` and `startup`
measure; `page` and `plot` show.
"""
