"""What differs between two states of a project, and what follows from that once it is live."""
