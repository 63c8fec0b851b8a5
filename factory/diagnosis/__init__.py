"""What an installation needs to work: each thing that is looked at is a function, in a module a subject."""
