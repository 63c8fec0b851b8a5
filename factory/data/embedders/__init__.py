"""Vectors of texts: one kind of embedder a file, and the vectors that are kept from run to run."""
