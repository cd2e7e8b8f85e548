"""Servers of others, started for a test, a benchmark or a fault, and ended by whoever started them."""
