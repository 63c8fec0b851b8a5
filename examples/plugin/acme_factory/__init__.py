"""Kinds of Acme's own for ml-dag-factory."""
