"""Where versions and snapshots come from: why they are there, the evidence for it, and making them again."""
