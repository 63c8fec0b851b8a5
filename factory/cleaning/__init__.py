"""What is left over, and taking it away: one module a kind of leftover."""
