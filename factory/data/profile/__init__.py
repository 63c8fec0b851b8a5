"""What is in files and snapshots that nobody has described yet: `factory inspect`."""
