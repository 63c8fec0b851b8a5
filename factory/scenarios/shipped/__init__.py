"""The teams of this repository, for `factory demo` in a folder without a project."""
