"""What a team may write: one module a section, and the reader that turns text into it."""
