"""Names of jobs: the same for the same training, at most 63 characters, and AWS's alphabet."""

import re

import pytest

from factory.training.backends.sweep_jobs import job_base, run_prefix

AWS = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
RUN = {"storage": "s3://lake", "dag_id": "a.b.train", "run_id": "manual__1"}


@pytest.mark.parametrize("model", ["a.b", "pets.detector", f"{'t' * 63}.{'m' * 63}", "a_.b__"])
def test_name_fits_with_the_largest_numbers(model):
    name = f"{job_base(run_prefix(model, **RUN), 1023, {'a': 1})}-99"
    assert AWS.fullmatch(name)
    assert len(name) <= 63


def test_same_training_has_the_same_name():
    first = job_base(run_prefix("a.b", **RUN), 0, {"a": 1, "b": 2})
    assert first == job_base(run_prefix("a.b", **RUN), 0, {"b": 2, "a": 1})


@pytest.mark.parametrize("change", ["storage", "dag_id", "run_id"])
def test_another_run_or_installation_has_other_names(change):
    assert run_prefix("a.b", **RUN) != run_prefix("a.b", **{**RUN, change: "other"})


def test_other_parameters_or_data_have_another_name():
    prefix = run_prefix("a.b", **RUN)
    assert job_base(prefix, 0, [{"C": 1}, "data"]) != job_base(prefix, 0, [{"C": 2}, "data"])
    assert job_base(prefix, 0, [{"C": 1}, "data"]) != job_base(prefix, 0, [{"C": 1}, "other"])
