"""Where a dataset's rows come from."""
