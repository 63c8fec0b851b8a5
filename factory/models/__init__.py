"""Versions of models: tracked, registered, compared, promoted, asked."""
