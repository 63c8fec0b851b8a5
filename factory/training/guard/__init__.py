"""What makes a score unbelievable, looked for before a version may go live."""
