"""What a model takes, made from its signature."""

import json

import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, Schema
from pydantic import ValidationError

from factory.serving.contract import contract_of
from factory.serving.refusals import MOST_FINDINGS, UnfitVersionError, findings
from tests.models.records import record

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("double", "petal length (cm)", required=True),
            ColSpec("double", "width", required=False),
            ColSpec("string", "class", required=True),
            ColSpec("string", "sex", required=False),
            ColSpec("datetime", "seen", required=False),
            ColSpec("long", "count", required=True),
            ColSpec("boolean", "alive", required=True),
        ]
    ),
    outputs=Schema([ColSpec("string")]),
)
RECORD = record("marine.species").with_signature(SIGNATURE)
EXAMPLE = pd.DataFrame(
    {
        "petal length (cm)": [1.5, 2.0],
        "width": [None, 0.25],
        "class": ["a", "b"],
        "sex": [None, "male"],
        "seen": pd.to_datetime(["2024-01-31T12:00:00", None]),
        "count": [1, 2],
        "alive": [True, False],
    }
)
ROW = {
    "petal length (cm)": 1.5,
    "width": None,
    "class": "a",
    "sex": None,
    "seen": None,
    "count": 3,
    "alive": True,
}


@pytest.fixture(scope="module")
def contract():
    return contract_of(RECORD, EXAMPLE, 100)


def body(*rows, **changes):
    return json.dumps({"rows": [{**ROW, **changes}, *rows]}).encode()


def wrong(contract, content):
    with pytest.raises(ValidationError) as caught:
        contract.parse(content)
    return [(each["type"], each["loc"]) for each in findings(caught.value)]


def test_rows_become_what_training_saw(contract):
    frame = contract.frame(contract.parse(body({**ROW, "seen": "2024-01-31T01:00:00+01:00"})))
    assert list(frame) == list(RECORD.features)
    assert frame["petal length (cm)"].tolist() == [1.5, 1.5]
    assert frame["width"].isna().all()
    assert frame["width"].dtype == "float64"
    assert frame["count"].tolist() == [3.0, 3.0]
    assert frame["alive"].tolist() == [1.0, 1.0]
    assert pd.isna(frame["seen"][0])
    assert frame["seen"][1] == pd.Timestamp("2024-01-31")
    assert frame["seen"].dtype == "datetime64[us]"


def test_the_example_of_a_version_is_what_it_takes(contract):
    rows = contract.parse(json.dumps({"rows": contract.example}).encode())
    assert rows[0]["seen"].isoformat() == "2024-01-31T12:00:00"
    assert [row["width"] for row in rows] == [None, 0.25]


@pytest.mark.parametrize(
    ("seen", "at"),
    [
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("2024-01-31T10:30:00Z", "2024-01-31T10:30:00"),
        ("2024-01-31 10:30:00", "2024-01-31T10:30:00"),
    ],
)
def test_a_point_in_time_is_a_date_or_iso_8601(contract, seen, at):
    assert contract.parse(body(seen=seen))[0]["seen"].isoformat() == at


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"petal length (cm)": "1.5"}, "float_type"),
        ({"petal length (cm)": True}, "float_type"),
        ({"petal length (cm)": None}, "float_type"),
        ({"petal length (cm)": float("nan")}, "finite_number"),
        ({"petal length (cm)": float("-inf")}, "finite_number"),
        ({"class": 1}, "string_type"),
        ({"class": None}, "string_type"),
        ({"seen": "yesterday"}, "datetime_type"),
        ({"seen": "2024-13-31T10:00:00"}, "datetime_from_date_parsing"),
        ({"seen": "1700000000"}, "datetime_type"),
        ({"seen": 1700000000}, "datetime_type"),
        ({"seen": "9999-12-31T23:59:59-10:00"}, "value_error"),
        ({"count": 1.5}, "int_type"),
        ({"count": 2**70}, "less_than"),
        ({"alive": 1}, "bool_type"),
        ({"weight": 1}, "extra_forbidden"),
    ],
)
def test_a_wrong_value_is_found_with_its_row_and_feature(contract, changes, kind):
    (name,) = changes
    content = json.dumps({"rows": [ROW, {**ROW, **changes}]}).encode()
    assert wrong(contract, content) == [(kind, ["body", "rows", 1, name])]


def test_missing_features_are_found_even_if_they_may_be_null(contract):
    row = {name: value for name, value in ROW.items() if name not in ("width", "class")}
    assert wrong(contract, json.dumps({"rows": [row]}).encode()) == [
        ("missing", ["body", "rows", 0, "width"]),
        ("missing", ["body", "rows", 0, "class"]),
    ]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "json_invalid"),
        (b"{", "json_invalid"),
        (b"\xff\xfe", "json_invalid"),
        (b"[" * 100_000, "json_invalid"),
        (b'{"rows": [{"count": ' + b"9" * 100_000 + b"}]}", "json_invalid"),
        (b"[]", "model_type"),
        (b"{}", "missing"),
        (b'{"rows": 1}', "list_type"),
        (b'{"rows": []}', "too_short"),
        (b'{"rows": [1]}', "dict_type"),
        (body(*[ROW] * 100), "too_long"),
    ],
)
def test_a_body_that_is_no_rows_is_refused(contract, content, kind):
    (found,) = wrong(contract, content)
    assert found[0] == kind


def test_findings_are_few_and_can_be_written_as_json(contract):
    with pytest.raises(ValidationError) as caught:
        contract.parse(body(*[{**ROW, "class": float("nan"), "sex": "x" * 1000}] * 90, sex=[1]))
    found = findings(caught.value)
    assert len(found) == MOST_FINDINGS + 1
    assert found[-1]["msg"] == "41 more findings are not shown"
    assert len(json.dumps(found, allow_nan=False)) < 10_000


def test_a_signature_that_json_cannot_carry_is_refused():
    signature = ModelSignature(inputs=Schema([ColSpec(Array(DataType.double), "pixels")]))
    pixels = record().with_signature(signature)
    with pytest.raises(UnfitVersionError, match="rows in JSON cannot carry"):
        contract_of(pixels, EXAMPLE, 1)
