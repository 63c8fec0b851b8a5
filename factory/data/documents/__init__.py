"""Documents as datasets: one row a file with its text, the bytes kept beside the table."""
