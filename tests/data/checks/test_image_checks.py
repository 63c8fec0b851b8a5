import pytest
from pydantic import TypeAdapter

from factory.data.checks.check import AnyCheck
from factory.data.checks.run import CheckFailedError, check
from factory.lake.write import Write
from tests.data.images.images import image, pets, write
from tests.data.rows import lake_in, rows_of

CONTENT = {
    "cats/1.png": image("red", (40, 30)),
    "cats/2.png": image("green", (10, 30)),
    "cats/3.png": image("red", (40, 30)),
    "dogs/1.png": image("red", (40, 30)),
    "dogs/2.png": image("blue", (30, 8)),
    "birds/1.png": b"no image",
}


@pytest.fixture
def checked(tmp_path):
    write(tmp_path / "pets", CONTENT)
    rows = pets(tmp_path)

    def run(**section):
        try:
            report = check(
                TypeAdapter(tuple[AnyCheck, ...]).validate_python([section]),
                run.rows,
                columns=None,
                write=Write(),
                lake=lake_in(tmp_path),
                dataset="pets.photos",
            )
        except CheckFailedError as error:
            report = error.report
        return report.results[0]

    run.rows = rows
    return run


def test_readable_names_the_file_that_is_no_image(checked):
    found = checked(check="readable")
    assert (found.status, found.failing_rows, found.message) == ("fail", 1, "1 rows")
    assert next(iter(found.sample[0])) == "path"
    assert found.sample[0]["path"] == "birds/1.png"


def test_min_size_finds_what_is_too_narrow_or_too_low(checked):
    found = checked(check="min_size", width=20, height=10)
    assert {row["path"] for row in found.sample} == {"cats/2.png", "dogs/2.png"}
    assert found.description == "min_size(width 20, height 10)"
    assert checked(check="min_size", width=20).failing_rows == 1
    assert checked(check="min_size", width=10, height=8).status == "pass"


def test_label_count_names_the_labels_outside_its_bounds(checked):
    found = checked(check="label_count", min=2)
    assert (found.status, found.message) == ("fail", "1 of 3 labels: birds (1)")
    assert checked(check="label_count", max=2).message == "1 of 3 labels: cats (3)"
    assert checked(check="label_count", min=1, max=3).status == "pass"
    assert checked(check="label_count", min=2, on_fail="warn").status == "warn"
    assert checked(check="label_count", column="format", min=6).message == "1 of 1 labels: png (5)"


def test_rows_without_any_label_fail_label_count(checked, tmp_path):
    checked.rows = rows_of("select null::varchar as label", tmp_path)
    assert checked(check="label_count", min=1).message == "no row has a label"


def test_duplicate_finds_the_same_image_under_several_names(checked):
    found = checked(check="duplicate")
    assert (found.status, found.failing_rows) == ("fail", 3)
    assert found.message == "3 rows show 1 images, 1 of them under several labels"
    assert {row["path"] for row in found.sample} == {"cats/1.png", "cats/3.png", "dogs/1.png"}


@pytest.mark.parametrize("name", ["readable", "duplicate"])
def test_checks_of_images_on_other_rows_say_which_columns_are_missing(checked, tmp_path, name):
    checked.rows = rows_of("select 1 as id", tmp_path)
    assert "no column" in checked(check=name).message


@pytest.mark.parametrize("name", ["readable", "duplicate"])
def test_good_images_pass(checked, tmp_path, name):
    write(tmp_path / "good", {"a/1.png": image("red"), "b/1.png": image("blue")})
    checked.rows = pets(tmp_path, tmp_path / "good_run", path="good")
    assert checked(check=name).status == "pass"
