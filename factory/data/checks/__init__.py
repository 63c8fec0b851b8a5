"""What must be true of a dataset's rows before they are published."""
