"""The team file: text with positions, sections, and all that is wrong in it."""
