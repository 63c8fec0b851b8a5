"""Models with several targets: numbers that are learned together, and labels of which a row may have several."""
