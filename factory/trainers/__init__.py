"""What can train a model, behind one small protocol."""
