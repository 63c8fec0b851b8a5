"""Which columns are compared: those that can drift value by value."""

import numpy as np
import pandas as pd
import pyarrow as pa

from factory.monitoring.compared_rows import compared_features, lengths

ROWS = 200
COLUMNS = {
    "customer_id": [f"C{number:05}" for number in range(ROWS)],
    "row": [float(number) for number in range(ROWS)],
    "signed_up": [pd.Timestamp("2026-01-01")] * ROWS,
    "photo": ["jpeg"] * ROWS,
    "comment": [f"this is what customer {number} said" for number in range(ROWS)],
    "port": ["Oban", "Kirkwall"] * (ROWS // 2),
    "weight": list(np.random.default_rng(0).normal(size=ROWS)),
}


def test_what_tells_rows_apart_and_what_always_changes_is_left_out_with_a_word():
    chosen, left_out = compared_features(pa.table(COLUMNS), None, image="photo")
    assert chosen == ("comment", "port", "weight")
    assert left_out == {
        "customer_id": "its values tell rows apart: new rows have new ones",
        "row": "its values tell rows apart: new rows have new ones",
        "signed_up": "time always goes on",
        "photo": "every image is another one",
    }


def test_columns_that_a_team_names_are_compared_whatever_they_are():
    assert compared_features(pa.table(COLUMNS), ("row",), image=None) == (("row",), {})


def test_texts_are_as_long_as_they_have_words():
    found = lengths(pd.Series(["two words", None, " and  three words "], dtype=object))
    assert found.dtype == "float64"
    assert found[[0, 2]].tolist() == [2, 3]
    assert np.isnan(found[1])
