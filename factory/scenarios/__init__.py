"""Stories that `factory demo --scenario` tells: a project each, with real rows that arrive bit by bit."""
