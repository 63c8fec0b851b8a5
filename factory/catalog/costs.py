"""Whether sweeps of training jobs stay within what they may cost."""

from collections.abc import Iterator

from factory.team.problems import Problem
from factory.team.reader import TeamFile
from factory.training.backends.cost import estimate
from factory.training.backends.sections import SageMaker


def check_costs(team: TeamFile) -> Iterator[Problem]:
    """What is wrong with the models that have a `max_cost`."""
    prices = team.platform.config.prices
    for name, model in team.team.models.items():
        backend = model.backend
        if not isinstance(backend, SageMaker) or backend.max_cost is None:
            continue
        at = ("models", name, "backend")
        price = prices.get(backend.instance_type)
        if price is None:
            yield team.problem(
                (*at, "max_cost"),
                f"`max_cost` needs the price of {backend.instance_type}",
                f"write `prices: {{{backend.instance_type}: <USD an hour>}}` into "
                "configs/_defaults.yaml",
            )
            continue
        excess = estimate(backend, model.search.most_trials, price).exceeds(backend.max_cost)
        if excess:
            yield team.problem(
                (*at, "max_cost"), excess, "raise it, shorten `max_runtime`, or try fewer sets"
            )
