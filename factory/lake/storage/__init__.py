"""Where data lies: a folder or an object store."""
