"""How things stand: datasets and models of all teams, and why there is nothing newer of one."""
