"""Datasets: where rows come from, what happens to them, what must be true of them."""
