"""What is deployed, and what a failed deployment does to the registry: on a real MLflow server."""

import mlflow
import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.deploy.deployment import RESTORED_BY, DeploymentPlan, confirm, plan, restore
from factory.deploy.targets.target import DeployContext, Deployed
from factory.models import registry, switching
from factory.models.record import RECORD
from factory.models.registry import NoChampionError
from factory.models.tracking import Tracking
from tests.deploy.fake_target import ADDRESS, MemoryTarget

DAG = "lab.species.deploy"
BY = {"by": "Airflow run r1 of lab.species.deploy", "why": "smoke_test failed: it says cod"}


class Model:
    """A registered model of three versions, and what tests do with it."""

    def __init__(self, name: str, tracking: Tracking) -> None:
        self.name, self.tracking = name, tracking
        self.target = MemoryTarget()
        self.context = DeployContext(tracking)

    def promote(self, number: int) -> None:
        current = registry.champion(self.name, tracking=self.tracking)
        switching.promote(
            self.name,
            number,
            instead_of=current.number if current else None,
            by="gate",
            why="it is better",
            tracking=self.tracking,
        )

    def planned(self, *events: dict) -> DeploymentPlan | None:
        return plan(self.name, events, self.target, self.context, deployment=DAG)

    def deployed(self, number: int) -> None:
        """Promote a version, whose deployment goes well."""
        self.promote(number)
        made = self.planned()
        assert made is not None
        self.target.deploy(self.context, made.record, None)
        confirm(made, address=ADDRESS, tracking=self.tracking)

    def aliases(self) -> dict[str, int]:
        found = self.tracking.client.get_registered_model(self.name).aliases
        return {alias: int(number) for alias, number in found.items()}

    def tags(self, number: int) -> dict[str, str]:
        return dict(registry.version(self.name, number, tracking=self.tracking).tags)


@pytest.fixture
def model(request, release, tracking) -> Model:
    client = tracking.client
    source = client.get_model_version(release.model, str(release.version))
    name = f"lab.{request.node.name[-40:].strip('_[]-')}"
    mlflow.set_tracking_uri(tracking.uri)
    for _ in range(3):
        mlflow.register_model(source.source, name, tags=source.tags)
    return Model(name, tracking)


def test_without_a_champion_there_is_nothing_to_deploy(model):
    with pytest.raises(NoChampionError, match=r"run the DAG lab\..*\.train"):
        model.planned()


def test_the_version_in_production_is_deployed_whatever_the_event_says(model):
    model.deployed(1)
    model.promote(2)
    made = model.planned({"version": 3, "reason": "promotion"})
    assert made is not None
    assert (made.record.version, made.is_new) == (2, True)
    assert made.before == Deployed(model=model.name, version=1, address=ADDRESS)
    assert made.record.task == "classification"
    assert DeploymentPlan.from_json(made.as_json()) == made


def test_a_version_that_was_not_trained_here_is_refused(model):
    model.promote(1)
    client = model.tracking.client
    for tag in (RECORD, "task"):
        client.delete_model_version_tag(model.name, "1", tag)
    run_id = client.get_model_version(model.name, "1").run_id
    # Versions of the first releases left it to their run.
    task = client.get_run(run_id).data.tags["task"]
    client.delete_tag(run_id, "task")
    try:
        with pytest.raises(TerminalError, match="no tag `task`"):
            model.planned()
    finally:
        client.set_tag(run_id, "task", task)


def test_a_failure_puts_the_version_before_back_and_says_who_and_why(model):
    model.deployed(1)
    model.promote(2)
    made = model.planned()
    model.target.deploy(model.context, made.record, None)
    outcome = restore(made, model.target, model.context, **BY)
    assert (outcome.failed, outcome.version, outcome.switched) == (2, 1, True)
    assert outcome.why.endswith("could not be deployed; version 1 is in production again")
    assert model.aliases() == {"champion": 1, "previous": 2}
    assert model.target._now.version == 1
    tags = model.tags(2)
    assert (tags["rolled_back_by"], tags["rolled_back_why"]) == (BY["by"], BY["why"])
    assert tags["deploy_failed_why"] == BY["why"]


def test_the_event_of_a_restoration_starts_nothing_and_other_events_do(model):
    model.deployed(1)
    model.promote(2)
    made = model.planned()
    restore(made, model.target, model.context, **BY)
    assert model.planned({"version": 1, RESTORED_BY: DAG}) is None
    assert model.planned({"version": 1, RESTORED_BY: "other.model.deploy"}) is not None
    assert model.planned({"version": 1, RESTORED_BY: DAG}, {"version": 1}) is not None
    model.promote(3)
    assert model.planned({"version": 1, RESTORED_BY: DAG}) is not None


def test_a_retry_of_the_restoration_goes_on_where_it_got_stuck(model):
    model.deployed(1)
    model.promote(2)
    made = model.planned()
    model.target._broken = True
    with pytest.raises(FactoryError, match="does not go back"):
        restore(made, model.target, model.context, **BY)
    assert model.aliases() == {"champion": 1, "previous": 2}
    model.target._broken = False
    outcome = restore(made, model.target, model.context, **BY)
    assert (outcome.version, outcome.switched) == (1, True)
    assert model.aliases() == {"champion": 1, "previous": 2}


def test_the_first_version_stays_when_it_fails(model):
    model.promote(1)
    outcome = restore(model.planned(), model.target, model.context, **BY)
    assert outcome.switched is False
    assert outcome.why.endswith("it stays in production, as there was none before it")
    assert model.aliases() == {"champion": 1}


def test_a_version_that_answered_there_before_is_not_rolled_back(model):
    model.deployed(1)
    model.deployed(2)
    outcome = restore(model.planned(), model.target, model.context, **BY)
    assert outcome.switched is False
    assert "it has answered there before" in outcome.why
    assert model.aliases() == {"champion": 2, "previous": 1}


def test_a_version_that_failed_is_not_gone_back_to(model):
    model.deployed(1)
    model.promote(2)
    restore(model.planned(), model.target, model.context, **BY)
    model.promote(3)
    # As if somebody had made the failed one `previous`.
    model.tracking.client.set_registered_model_alias(model.name, "previous", "2")
    outcome = restore(model.planned(), model.target, model.context, **BY)
    assert outcome.switched is False
    assert "version 2, could not be deployed either" in outcome.why


def test_a_restored_version_counts_as_deployed(model):
    model.deployed(1)
    model.promote(2)
    restore(model.planned(), model.target, model.context, **BY)
    again = model.planned()
    assert (again.record.version, again.is_new) == (1, False)


def test_a_champion_that_has_changed_meanwhile_is_left_alone(model):
    model.deployed(1)
    model.promote(2)
    made = model.planned()
    model.promote(3)
    outcome = restore(made, model.target, model.context, **BY)
    assert outcome.switched is False
    assert outcome.why.endswith("by now version 3 is in production")
    assert model.aliases() == {"champion": 3, "previous": 2}
    assert model.target._restored == [made.before]
