"""Measurements, for `docs/performance.md`. Each says a ratio within one run on one machine where it can."""
