"""Sweeps: millions of cases on any `concurrent.futures.Executor`, with a ledger that survives whatever stops them.

`plan` cuts a sweep into shards, `worker` judges one, `ledger` keeps the results, `sweep` drives the executor.
"""
