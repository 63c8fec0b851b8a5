"""A model that forecasts, in use: its forecasts beside what came, and the columns that may drift."""

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from factory.lake import publishing
from factory.lake.write import Write
from factory.models import switching
from factory.models.batch_prediction import PredictionForm, predict
from factory.models.predictor import load_predictor
from factory.monitoring.measure import measure
from factory.monitoring.sections import Monitor
from factory.monitoring.window_rows import MonitoredData
from tests.data.rows import lake_in
from tests.training.forecasting.visits import frame, table, with_future
from tests.training.training import Training

VISITS, PREDICTIONS, TRUTH = "shop.visits", "shop.predictions", "shop.truth"


def test_forecasts_are_measured_by_what_came_and_known_columns_by_their_drift(trained, tmp_path):
    lake = lake_in(tmp_path / "lake")

    def publish(dataset, rows):
        file = tmp_path / f"{dataset}.parquet"
        pq.write_table(rows, file)
        return publishing.publish(lake, dataset, file, Write(), run_id=dataset).snapshot

    known = with_future(frame())
    visits = publish(VISITS, table(known))
    training = Training(
        table(),
        trained.model,
        tmp_path / "w",
        trained.uri,
        snapshots={VISITS: visits.version},
    )
    record = training.all().record
    switching.promote(
        training.name, record.version, instead_of=None, by="x", why="y", tracking=training.tracking
    )
    made = predict(
        lake.scan(VISITS, visits.version),
        load_predictor(record, tracking=training.tracking),
        PredictionForm("forecasting", (), visits.version),
        batch_rows=100,
        file=tmp_path / "predicted.parquet",
    )
    said = pyarrow.dataset.dataset(made.file).to_table()
    predictions = publish(PREDICTIONS, said)
    came = said.to_pandas()
    came["visitors"] = came["prediction"] + 2
    truth = publish(TRUTH, table(came[["store", "date", "visitors"]]))
    (tmp_path / "run").mkdir()
    found = measure(
        MonitoredData(
            model=training.name,
            train_on=(VISITS,),
            current=(VISITS,),
            predictions=PREDICTIONS,
            truth=TRUTH,
        ),
        trained.model,
        Monitor.model_validate(
            {
                "min_rows": 10,
                "truth": {"dataset": "truth", "keys": ["store", "date"], "min_rows": 10},
                "quality": {"mean_absolute_error": {"max": 1}},
            }
        ),
        {one.dataset: one for one in (visits, predictions, truth)},
        lake=lake,
        tracking=training.tracking,
        workspace=tmp_path / "run",
    )
    assert found.quality.rows == 14
    assert found.quality.metrics["mean_absolute_error"] == pytest.approx(2)
    assert sorted(one.column for one in found.columns) == ["holiday", "store"]
    assert found.prediction is None
    assert set(found.left_out) == {"visitors", "prediction"}
    assert found.findings == ("mean_absolute_error 2 is above 1 (on 14 rows with truth)",)
