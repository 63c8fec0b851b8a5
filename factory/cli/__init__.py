"""The command `factory`."""
