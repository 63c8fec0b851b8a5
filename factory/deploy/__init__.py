"""Where champions answer."""
