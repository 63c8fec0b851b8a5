"""Images as models get them."""

import io
import json
import os
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest
from PIL import Image

from factory.base.errors import TerminalError
from factory.data.images.frames import bytes_schema, with_bytes
from factory.data.images.store import ImageError, TamperedImageError
from factory.data.publish import publish_images
from factory.data.transforms.images import ImagesTransform
from factory.lake import publishing
from factory.lake.write import Write
from factory.models.batch_prediction import PredictionForm, predict, prediction_rows
from factory.models.predictor import Predictor
from factory.models.record import IMAGE, ModelColumn
from factory.trainers.trainer import Predictions
from factory.training.model import Model
from factory.training.rows import model_images, model_rows
from factory.training.split import read_part, split
from tests.data.images.images import encoded, image, pets, write
from tests.data.rows import lake_in
from tests.harness.memory import REPOSITORY
from tests.models.records import record

COLORS = {"red": "cats", "blue": "dogs"}


def photos(count: int = 20) -> dict[str, bytes]:
    return {
        f"{label}/{number}.png": image(color, (20 + number, 20))
        for color, label in COLORS.items()
        for number in range(count // 2)
    }


@pytest.fixture
def lake(tmp_path):
    """A lake with the dataset pets.photos."""
    lake = lake_in(tmp_path)
    write(tmp_path / "pets", photos())
    rows = pets(tmp_path, tmp_path / "made", lake)
    publish_images("pets.photos", rows, lake)
    publishing.publish(lake, "pets.photos", rows.file, Write(), run_id="1")
    return lake


def detector(**changes) -> Model:
    section = {
        "task": "classification",
        "train_on": "photos",
        "target": "label",
        "search": {
            "strategy": "list",
            "trials": [
                {
                    "estimator": "fastai.vision.learner.vision_learner",
                    "params": {"arch": "resnet18"},
                }
            ],
        },
        "objective": {"metric": "accuracy"},
    }
    return Model.model_validate(section | changes)


class Eye:
    """A trainer that knows red from blue, and says how it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict(self, model, features):
        self.asked.append(len(features))
        said = []
        for content in features["image"]:
            assert isinstance(content, bytes)
            red, _, blue = Image.open(io.BytesIO(content)).convert("RGB").getpixel((19, 0))
            said.append("cats" if red > blue else "dogs")
        return Predictions(pd.Series(said, dtype=object).to_numpy())


def predictor() -> tuple[Predictor, Eye]:
    image = ModelColumn(name="image", type=IMAGE, nullable=False)
    eye = Eye()
    version = record("pets.detector", 3, inputs=(image,), outputs=("string",))
    return Predictor(version, None, eye), eye


def test_addresses_become_bytes_in_the_rows_order(lake, tmp_path):
    rows = lake.scan("pets.photos", 0)
    batches = list(with_bytes(rows, "image", lake))
    table = pa.Table.from_batches(batches, bytes_schema(rows.schema, "image"))
    assert table.schema.field("image").type == pa.large_binary()
    assert table.column("path").to_pylist() == rows.to_table().column("path").to_pylist()
    expected = photos()
    for row in table.to_pylist():
        assert row["image"] == expected[row["path"]]


def test_batches_are_bounded_by_their_bytes(lake, monkeypatch):
    monkeypatch.setattr("factory.data.images.frames._BATCH_BYTES", 300)
    batches = list(with_bytes(lake.scan("pets.photos", 0).to_table(), "image", lake))
    assert sum(batch.num_rows for batch in batches) == 20
    assert len(batches) > 4
    largest = max(map(len, photos().values()))
    assert max(batch.column("image").nbytes for batch in batches) < 300 + largest + 200


def test_no_rows_are_no_batches(lake):
    empty = lake.scan("pets.photos", 0).to_table().slice(0, 0)
    assert list(with_bytes(empty, "image", lake)) == []


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        (["pets/_files/../../etc/passwd"], "no image's address"),
        (["https://example.org/cat.jpg"], "no image's address"),
        ([f"pets/_files/ab/{'ab' * 32}.png"], "not in the lake"),
        ([None], "1 rows have no image"),
        ([f"pets/_files/ab/{'ab' * 32}.bin"], "readable"),
    ],
)
def test_what_has_no_image_is_an_error_that_says_what_to_do(lake, addresses, said):
    rows = pa.table({"image": pa.array(addresses, pa.string())})
    with pytest.raises(ImageError, match=said):
        list(with_bytes(rows, "image", lake))
    with pytest.raises(TerminalError, match="no column 'photo'"):
        list(with_bytes(rows, "photo", lake))


def test_changed_bytes_are_refused(lake, tmp_path):
    rows = lake.scan("pets.photos", 0).to_table()
    (tmp_path / "x").write_bytes(image("green"))
    lake.files.upload(tmp_path / "x", rows.column("image")[7].as_py())
    with pytest.raises(TamperedImageError, match="other bytes"):
        list(with_bytes(rows, "image", lake))


def test_split_gives_trials_the_bytes(lake, tmp_path):
    model = detector(split={"test": 0.2, "validation": 0.2, "seed": 3})
    found = split(lake.scan("pets.photos", 0), model, tmp_path / "run", images=lake)
    assert found.features == ("image",)
    assert found.columns == {"image": "large_binary"}
    assert found.rows == {"train": 12, "validation": 4, "test": 4}
    expected = {content: path.split("/")[0] for path, content in photos().items()}
    seen = []
    for part in ("train", "validation", "test"):
        features, target = read_part(tmp_path / "run", part)
        assert list(features.columns) == ["image"]
        assert features["image"].dtype == pd.ArrowDtype(pa.large_binary())
        content = features["image"].iloc[0]
        assert isinstance(content, bytes)
        for content, label in zip(features["image"], target, strict=True):
            assert expected[content] == label
        seen += list(features["image"])
    assert len(set(seen)) == len(expected) == 20
    few, _ = read_part(tmp_path / "run", "train", rows=2)
    assert len(few) == 2


def test_split_does_not_depend_on_the_order_of_rows(lake, tmp_path):
    rows = lake.scan("pets.photos", 0).to_table()
    for name, table in (("a", rows), ("b", rows.take(list(range(rows.num_rows))[::-1]))):
        split(table, detector(), tmp_path / name, images=lake)
    one, other = ((tmp_path / name / "split" / "train.arrow").read_bytes() for name in "ab")
    assert one == other


def test_split_of_images_needs_a_lake(lake, tmp_path):
    with pytest.raises(TerminalError, match="images"):
        split(lake.scan("pets.photos", 0), detector(), tmp_path / "run")


def test_model_without_images_is_divided_as_ever(lake, tmp_path):
    model = detector(
        features=["width", "height"],
        search={
            "strategy": "list",
            "trials": [{"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {}}],
        },
    )
    found = split(lake.scan("pets.photos", 0), model, tmp_path / "run")
    assert found.columns == {"width": "double", "height": "double"}


def test_images_that_a_models_transforms_make_are_used(lake, tmp_path):
    small = {"width": 8, "height": 8, "mode": "exact"}
    step = ImagesTransform.model_validate({"type": "images", "resize": small, "convert": "jpeg"})
    workspace = tmp_path / "run"
    workspace.mkdir()
    rows = model_rows(
        ["pets.photos"], [step], workspace=workspace, lake=lake, versions={"pets.photos": 0}
    )
    images = model_images(["pets.photos"], workspace=workspace, lake=lake)
    split(rows, detector(), workspace, images=images)
    features, _ = read_part(workspace, "train")
    assert {Image.open(io.BytesIO(content)).size for content in features["image"]} == {(8, 8)}


def test_prediction_asks_about_images_some_at_a_time(lake, tmp_path, monkeypatch):
    monkeypatch.setattr("factory.data.images.frames._BATCH_BYTES", 400)
    model, eye = predictor()
    rows = prediction_rows(
        ["pets.photos"], (), absent={}, workspace=tmp_path, lake=lake, versions={"pets.photos": 0}
    )
    file = tmp_path / "predictions.parquet"
    form = PredictionForm("classification", ["path", "image", "label"], 0)
    made = predict(rows, model, form, batch_rows=12, file=file, images=lake)
    assert made.rows == 20
    assert max(eye.asked) < 12
    said = pyarrow.dataset.dataset(file).to_table().to_pylist()
    assert [row["prediction"] for row in said] == [row["label"] for row in said]
    assert all(row["image"].startswith("pets/_files/") for row in said)
    with pytest.raises(TerminalError, match="images"):
        predict(rows, model, form, batch_rows=12, file=file)


def test_prediction_of_no_images_has_columns(lake, tmp_path):
    model, _ = predictor()
    rows = pyarrow.dataset.dataset(lake.scan("pets.photos", 0).to_table().slice(0, 0))
    form = PredictionForm("classification", ["path"], 0)
    made = predict(rows, model, form, batch_rows=9, file=tmp_path / "p.parquet", images=lake)
    assert made.rows == 0
    assert list(made.columns)[:2] == ["path", "prediction"]


MEMORY = """
import json, sys
from pathlib import Path
from tests.harness.memory import peak_kilobytes
from factory.training.split import split
from tests.models.records import record
from tests.data.rows import lake_in
from tests.data.images.test_images import detector
folder, count = Path(sys.argv[1]), int(sys.argv[2])
lake = lake_in(folder)
rows = lake.scan("pets.photos", 0).to_table()
rows = rows.take(list(range(0, rows.num_rows, rows.num_rows // count)))
before = peak_kilobytes()
split(rows, detector(split={"method": "random"}), folder / str(count), images=lake)
print(json.dumps((peak_kilobytes() - before) / 1024))
"""


@pytest.mark.nightly
def test_memory_of_a_split_does_not_grow_with_images(tmp_path):
    lake = lake_in(tmp_path)
    noise = os.urandom(3 * 500 * 500)
    for number in range(400):
        content = number.to_bytes(4, "big") + noise[4:]
        image = encoded(Image.frombytes("RGB", (500, 500), content), "BMP")
        write(tmp_path / "pets" / ("cats", "dogs")[number % 2], {f"{number}.bmp": image})
    rows = pets(tmp_path, tmp_path / "made", lake)
    publish_images("pets.photos", rows, lake)
    publishing.publish(lake, "pets.photos", rows.file, Write(), run_id="1")
    used = {}
    for count in (100, 400):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(tmp_path), str(count)],
            capture_output=True,
            text=True,
            check=True,
            cwd=REPOSITORY,
        )
        used[count] = json.loads(done.stdout)
    # 225 MB more of images; a batch of a part may be fuller than before.
    assert used[400] - used[100] < 75, used
