"""How a model is watched once it is in use."""
