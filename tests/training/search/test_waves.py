"""Searches that look at what their first trials have come to: `tpe` and `halving`."""

import pytest
from pydantic import TypeAdapter, ValidationError

from factory.training.search.strategy import AnySearch, Trial
from tests.training.models import model

RIDGE = "sklearn.linear_model.Ridge"
FOREST = "sklearn.ensemble.RandomForestRegressor"
HALVING = {"strategy": "halving", "trials": 9, "resource": "n_estimators"}


def search(**section):
    return TypeAdapter(AnySearch).validate_python(section)


def halving(**more):
    candidate = {"estimator": FOREST, "params": {"max_depth": {"randint": [1, 1000]}}}
    resources = {"min_resources": 10, "max_resources": 90}
    return search(**{**HALVING, **resources, "candidates": [candidate], **more})


def played(strategy, score) -> list[list[Trial]]:
    """The trials of each wave, where `score` says what a trial comes to."""
    waves = [list(strategy.expand())]
    for wave in range(2, strategy.wave_count + 1):
        scored = [(trial, score(trial)) for before in waves for trial in before]
        waves.append(list(strategy.expand_wave(wave, scored)))
    return waves


def depth(trial: Trial) -> float:
    return float(trial.params["max_depth"])


def test_halving_gives_the_best_third_three_times_as_much():
    first, second, third = played(halving(), depth)
    assert (len(first), len(second), len(third)) == (9, 3, 1)
    deepest = sorted(map(depth, first), reverse=True)
    assert [depth(trial) for trial in second] == deepest[:3]
    assert [depth(trial) for trial in third] == deepest[:1]
    resources = [
        {trial.params["n_estimators"] for trial in wave} for wave in (first, second, third)
    ]
    assert resources == [{10}, {30}, {90}]
    everything = [*first, *second, *third]
    assert [trial.index for trial in everything] == list(range(13))
    assert len({trial.name for trial in everything}) == 13
    assert halving().most_trials == 13


def test_halving_goes_on_with_those_that_did_not_fail():
    strategy = halving()
    worst = sorted(map(depth, strategy.expand()))[:2]
    _, second, third = played(
        strategy, lambda trial: depth(trial) if depth(trial) in worst else None
    )
    assert sorted(map(depth, second)) == worst
    assert len(third) == 1


@pytest.mark.parametrize(
    ("more", "waves"),
    [({}, 3), ({"max_resources": 89}, 2), ({"trials": 8}, 2), ({"factor": 2}, 4)],
)
def test_halving_has_as_many_waves_as_resource_and_trials_allow(more, waves):
    assert halving(**more).wave_count == waves


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"max_resources": 20}, "there is no second wave: 3 times `min_resources`"),
        ({"max_resources": 5}, "there is no second wave"),
        (
            {"candidates": [{"estimator": FOREST, "params": {"n_estimators": [3]}}]},
            "`n_estimators` is the resource, which the waves set",
        ),
    ],
)
def test_halving_says_what_cannot_be(more, said):
    with pytest.raises(ValidationError, match=said):
        halving(**more)


@pytest.mark.parametrize("beside", ["backend", "entities"])
def test_waves_exclude_jobs_and_entities(beside):
    section = {"backend": {"type": "local-process"}, "entities": {"column": "island"}}[beside]
    with pytest.raises(ValidationError, match=f"which it cannot with `{beside}`"):
        model(
            search={
                **HALVING,
                "min_resources": 10,
                "max_resources": 90,
                "candidates": [{"estimator": "sklearn.ensemble.RandomForestClassifier"}],
            },
            **{beside: section},
        )


def test_batches_exclude_jobs():
    with pytest.raises(ValidationError, match="with `backend` each trial is a job of its own"):
        model(search={**model().search.model_dump(), "batch": 4}, backend={"type": "local-process"})
