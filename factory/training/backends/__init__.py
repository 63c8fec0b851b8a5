"""Where trials are trained, when not in the tasks themselves."""
