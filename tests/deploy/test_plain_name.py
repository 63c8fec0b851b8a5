"""The name of what is deployed: a label that Kubernetes, SageMaker and Docker take."""

import re

import pytest

from factory.deploy.targets.target import plain_name

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LONG = f"ecology.{'species_' * 8}"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("ecology.species", "ecology-species"),
        ("big_sea.body_mass", "big-sea-body-mass"),
        ("ecology.species_", "ecology-species"),
        (f"a.{'b' * 48}", f"a-{'b' * 48}"),
    ],
)
def test_a_name_that_fits_has_dashes_and_nothing_else_is_changed(model, name):
    assert plain_name(model) == name


@pytest.mark.parametrize("model", [f"a.{'b' * 49}", LONG, f"{'a' * 40}.{'_' * 40}b"])
def test_a_long_name_is_cut_to_a_label(model):
    name = plain_name(model)
    assert LABEL.fullmatch(name)
    assert "--" not in name
    assert len(name) <= 50
    assert name == plain_name(model)


def test_long_names_that_begin_alike_stay_apart():
    assert plain_name(f"{LONG}a") != plain_name(f"{LONG}b")
    assert plain_name(f"{LONG}a")[:40] == plain_name(f"{LONG}b")[:40]
