"""Random deaths on a running installation, and what must hold after each: see docs/reliability.md.

`python -m tests.chaos --rounds 20 --seed 1` starts `factory up` for a project of its own. In each round
changed rows come in, one process dies or is stopped while work is in progress, and as soon as
everything is at rest again, `invariants` looks at all that there is.
"""
