"""Whom a message can be sent to: one kind a file."""
