"""Adapters: networks that keep their weights, take their batches and hand over their gradients in ways of their own."""

from verify.subject.adapt.adapter import Adapter, adapt

__all__ = ["Adapter", "adapt"]
