"""From snapshots to a registered version: split, search, fit, evaluate, select, test, register."""
