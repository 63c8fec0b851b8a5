"""Images among the other datasets: their columns are known without a declaration."""

from pathlib import Path

import pytest

from tests.catalog.test_catalog import brief, datasets, team
from tests.team.folder import Folder, make_folder

LEARN = "{strategy: list, trials: [{estimator: fastai.vision.learner.vision_learner, params: {arch: resnet18}}]}"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = make_folder(tmp_path)
    folder.write("_defaults", "version: 1\npython_packages: [fastai, sklearn]\n")
    return folder


def detector(train_on: str, target: str = "label", extra: str = "") -> str:
    return (
        f"models:\n  detector:\n    task: classification\n    train_on: {train_on}\n"
        f"    target: {target}\n    search: {LEARN}\n    objective: {{metric: accuracy}}\n{extra}"
    )


def photos(more: str = "") -> str:
    return datasets(photos=f"source: {{type: images, path: data/pets}}{more}")


def test_model_of_images_fits_a_dataset_of_images(folder: Folder) -> None:
    predict = "    predict: {input: photos, keep: [path, image]}\n"
    folder.write("pets", team("pets", photos(), detector("photos", extra=predict)))
    assert brief(folder) == []


def test_column_that_images_lack_is_found(folder: Folder) -> None:
    more = ", checks: [{check: not_null, columns: [labels]}], transforms: [{type: images, convert: png}]"
    folder.write("pets", team("pets", photos(more), detector("photos", "lable")))
    assert brief(folder) == [
        ("pets:5", "labels", "`photos` has no column `labels`, by its source `type: images`"),
        ("pets:10", "lable", "`pets.photos` has no column `lable`, by its source `type: images`"),
    ]


def test_queries_may_change_the_columns(folder: Folder) -> None:
    more = ", transforms: [{type: sql, query: 'select *, label as kind from source'}]"
    folder.write("pets", team("pets", photos(more), detector("photos", "kind")))
    assert brief(folder) == []


def test_model_of_images_on_rows_without_images_is_found(folder: Folder) -> None:
    rows = datasets(sizes="columns: {id: BIGINT, label: VARCHAR}")
    folder.write("pets", team("pets", rows, detector("sizes")))
    [(place, _, message)] = brief(folder)
    assert place == "pets:9"
    assert "`pets.sizes` has no column `image`" in message
