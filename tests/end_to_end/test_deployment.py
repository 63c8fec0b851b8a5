"""A promotion deploys, a version that fails its smoke test is rolled back: on a real Airflow and server."""

import httpx
import numpy as np
import pandas as pd
import pytest

from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import LONG, Installation
from tests.harness.messages import Box, Webhooks

SHOP = """\
version: 1
team: shop
owner: shop@example.org
defaults: {{retries: 1, retry_delay: 1s}}
notify: {{on_failure: [{{type: webhook, url: "{url}"}}]}}
datasets:
  marks:
    source: {{type: csv, path: data/sizes.csv}}
models:
  mark:
    task: classification
    train_on: marks
    target: mark
    search:
      strategy: list
      trials: [{{estimator: sklearn.linear_model.LogisticRegression, params: {{C: 100.0}}}}]
    objective: {{metric: accuracy}}
    guard: {{leakage: warn}}
    # Whatever is trained goes live, so that only the smoke test stands in its way.
    promotion: {{beat_champion: false}}
    deploy: {{type: process, timeout: 60s, smoke_test: {{rows: [{{x: 0.9}}], expect: high}}}}
"""

PRODUCER, TRAINING, DEPLOYMENT = "shop.marks", "shop.mark.train", "shop.mark.deploy"
MODEL = "shop.mark"


class Shop(Installation):
    """Team `shop` on the shared Airflow, and the server that it deploys to."""

    def publish(self, rows: int, *, inverted: bool = False) -> None:
        """`high` where x is above 0, or the other way round; starts a training."""
        x = np.random.default_rng(rows).uniform(-1, 1, rows)
        marks = np.where((x > 0) != inverted, "high", "low")
        pd.DataFrame({"x": x, "mark": marks}).to_csv(
            self.project / "data" / "sizes.csv", index=False
        )
        assert self.run(PRODUCER).state == "success"

    def deployment(self, number: int) -> DagRun:
        """The run that the model's event of this number has started, at its end."""

        def started() -> DagRun | None:
            events = self.events(MODEL)
            if len(events) < number:
                return None
            runs = [r for r in events[number - 1].created_dagruns if r.dag_id == DEPLOYMENT]
            return self.airflow.run(DEPLOYMENT, runs[0].run_id) if runs else None

        run = self.airflow.wait_until(started, f"deployment {number}", seconds=LONG)
        return self.end_of(run)

    def tags(self, number: int) -> dict[str, str]:
        return dict(self.version(MODEL, number).tags)

    def ask(self) -> tuple[str, int]:
        """What the deployed model says about 0.9, and which version says it."""
        url = f"{self.runtime.ports.serving_url}/models/shop/mark/predict"
        answer = httpx.post(url, json={"rows": [{"x": 0.9}]}, timeout=30).json()
        return answer["predictions"][0], answer["version"]


@pytest.fixture(scope="module")
def messages(webhooks: Webhooks) -> Box:
    """What the team is told."""
    return webhooks.box("/shop")


@pytest.fixture(scope="module")
def shop(installation: Installation, webhooks: Webhooks) -> Shop:
    installation.add({"configs/shop.yaml": SHOP.format(url=f"{webhooks.url}/shop")})
    return Shop.of(installation)


@pytest.fixture(scope="module")
def good(shop: Shop) -> DagRun:
    shop.publish(200)
    return shop.deployment(1)


def test_a_promotion_is_deployed_and_asked(shop: Shop, good: DagRun, messages: Box):
    assert good.state == "success"
    assert shop.states(good) == {
        "version": "success",
        "deploy": "success",
        "smoke_test": "success",
        "restore": "skipped",
        "announce": "skipped",
        "fail": "skipped",
    }
    assert shop.ask() == ("high", 1)
    tags = shop.tags(1)
    assert tags["deployed_to"] == f"{shop.runtime.ports.serving_url}/models/shop/mark"
    assert tags["deployed_at"] >= tags["promoted_at"]
    assert messages.empty()


def test_a_server_that_dies_is_started_again(shop: Shop, good: DagRun):
    server = shop.runtime._components["serving"].process
    server.kill()

    def another() -> bool:
        shop.runtime.check()
        if shop.runtime._components["serving"].process is server:
            return False
        try:
            return shop.ask()[1] == 1
        except (httpx.TransportError, KeyError):  # Not there yet, or the model is being loaded.
            return False

    shop.airflow.wait_until(another, "an answer of the new server", seconds=LONG)


@pytest.fixture(scope="module")
def bad(shop: Shop, good: DagRun) -> DagRun:
    shop.publish(210, inverted=True)
    return shop.deployment(2)


def test_a_version_that_fails_its_smoke_test_is_rolled_back(shop: Shop, bad: DagRun):
    assert bad.state == "failed"
    states = shop.states(bad)
    assert states == {
        "version": "success",
        "deploy": "success",
        "smoke_test": "failed",
        "restore": "success",
        "announce": "success",
        "fail": "failed",
    }
    assert shop.aliases(MODEL) == {"champion": 1, "previous": 2}
    assert shop.ask() == ("high", 1)
    tags = shop.tags(2)
    assert tags["rolled_back_by"] == f"Airflow run {bad.dag_run_id} of {DEPLOYMENT}"
    assert "it says 'low'" in tags["rolled_back_why"]
    assert "'high' is expected" in tags["deploy_failed_why"]


def test_people_are_told_once_with_what_became_of_it(shop: Shop, bad: DagRun, messages: Box):
    message = messages.get(timeout=60)
    assert message["subject"] == f"{DEPLOYMENT} failed"
    assert message["facts"]["failed"] == "smoke_test; fail"
    assert "it says 'low'" in message["detail"]
    assert (
        "version 2 of shop.mark could not be deployed; version 1 is in production again"
        in (message["detail"])
    )
    assert messages.empty()


def test_the_restorations_own_event_deploys_nothing(shop: Shop, bad: DagRun):
    own = shop.deployment(3)
    assert own.state == "success"
    assert set(shop.states(own).values()) == {"skipped"}
    event = shop.events(MODEL)[-1].extra
    assert (event["version"], event["reason"]) == (1, "rollback")
    assert len(shop.events(MODEL)) == 3


def test_the_next_version_and_a_rollback_by_hand_are_deployed_too(shop: Shop, bad: DagRun):
    shop.publish(220)
    third = shop.deployment(4)
    assert (third.state, shop.ask()) == ("success", ("high", 3))
    assert shop.aliases(MODEL) == {"champion": 3, "previous": 1}
    before = shop.tags(1)["deployed_at"]

    done = shop.factory("rollback", MODEL, "--why", "a customer complains")
    assert done.returncode == 0, done.stderr
    back = shop.deployment(5)
    assert (back.state, shop.ask()) == ("success", ("high", 1))
    assert shop.tags(1)["deployed_at"] > before
    assert shop.aliases(MODEL) == {"champion": 1, "previous": 3}
    assert len(shop.events(MODEL)) == 5
