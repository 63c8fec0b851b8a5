"""The folder of team files that tests of the room `team` have too."""

from tests.team.conftest import folder  # noqa: F401
