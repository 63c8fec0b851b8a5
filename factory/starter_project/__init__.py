"""New projects, and new sections of team files: what `factory init` and `factory new` write."""
