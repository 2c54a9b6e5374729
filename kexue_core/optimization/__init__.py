"""Optimization: steps, decay, flows and how fast they converge."""
