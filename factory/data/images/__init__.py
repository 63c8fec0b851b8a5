"""Images as datasets: one row a file, the bytes kept beside the table."""
