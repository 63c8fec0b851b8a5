"""Whether sweeps of training jobs stay within what they may cost."""

from collections.abc import Iterator

from factory.team.problems import Problem
from factory.team.reader import TeamFile


def check_costs(team: TeamFile) -> Iterator[Problem]:
    """What is wrong with the models that have a `max_cost`."""
    prices = team.platform.config.prices
    for name, model in team.team.models.items():
        if model.backend is None or model.backend.priced_as is None:
            continue
        price = prices.get(model.backend.priced_as)
        if problem := model.backend.cost_problem(model.most_trials, price):
            at = ("models", name, "backend", "max_cost")
            yield team.problem("cost", at, problem.message, problem.advice)
