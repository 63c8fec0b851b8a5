"""Rows with several labels: a model of them goes live, and says the same in a batch, over HTTP and by plain MLflow."""

from typing import Any

import httpx
import mlflow
import numpy as np
import pytest

from tests.harness.airflow import Installation
from tests.training.several_targets.fish import LABELS, mails

POST = """\
version: 1
team: post
owner: post@example.org
datasets:
  mails: {source: {type: csv, path: data/mails.csv}}
models:
  labels:
    task: multilabel
    train_on: mails
    target: [spam, urgent, billing]
    features: [links, marks, sums]
    search:
      strategy: list
      trials:
        - estimator: sklearn.multioutput.ClassifierChain
          params: {estimator: {estimator: sklearn.linear_model.LogisticRegression}}
        - {estimator: sklearn.ensemble.RandomForestClassifier, params: {n_estimators: 20}}
    objective: {metric: f1_samples}
    promotion: {require: {f1/urgent: {min: 0.5}}}
    predict:
      input: mails
      keep: [id]
      checks:
        - {check: not_null, columns: [prediction_spam, probability_billing]}
    monitor:
      truth: {dataset: mails, keys: [id]}
      quality: {hamming_loss: {max: 0.0001}}
    deploy: {type: process}
"""
MAILS, MODEL = "post.mails", "post.labels"


@pytest.fixture(scope="module")
def post(installation: Installation) -> Installation:
    installation.add(
        {"data/mails.csv": mails().to_csv(index=False), "configs/post.yaml": POST},
    )
    return installation


def asked(post: Installation, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the service answers."""
    url = f"{post.runtime.ports.serving_url}/models/post/labels/predict"
    found: dict[str, Any] = httpx.post(url, json={"rows": rows}, timeout=30).json()
    return found


def test_labels_are_learned_promoted_predicted_served_and_watched(post: Installation) -> None:
    training = post.started_by(post.event_of(post.run(MAILS)), f"{MODEL}.train")
    assert training.state == "success", post.states(training)
    promotion = post.event_of(training)
    assert (promotion.name, promotion.extra["version"]) == (MODEL, 1)
    deployment = post.started_by(promotion, f"{MODEL}.deploy")
    assert deployment.state == "success", post.states(deployment)
    prediction = post.started_by(promotion, f"{MODEL}.predict")
    event = post.event_of(prediction)
    batch = post.lake.scan(event.extra["dataset"], event.extra["version"]).to_table().to_pandas()
    assert list(batch) == [
        "id",
        *(f"prediction_{name}" for name in LABELS),
        *(f"probability_{name}" for name in LABELS),
        *("model_version", "input_version"),
    ]
    batch = batch.sort_values("id")[:100]
    said = batch[[f"prediction_{name}" for name in LABELS]].to_numpy()

    features = mails()[["links", "marks", "sums"]][:100]
    answer = asked(post, features.to_dict("records"))
    assert [[row[name] for name in LABELS] for row in answer["predictions"]] == said.tolist()
    np.testing.assert_allclose(
        [[row[name] for name in LABELS] for row in answer["probabilities"]],
        batch[[f"probability_{name}" for name in LABELS]],
    )

    mlflow.set_tracking_uri(post.runtime.ports.mlflow_url)
    plain = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion").predict(features)
    np.testing.assert_array_equal(np.asarray(plain), said)

    monitoring = post.started_by(event, f"{MODEL}.monitor")
    assert post.states(monitoring)["measure"] == "success"
    found = post.result(monitoring, "measure")["findings"]
    assert [text for text in found if text.startswith("hamming_loss")]
