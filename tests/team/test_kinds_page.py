"""The page of the docs that has every kind."""

from pathlib import Path

from factory.kinds import FAMILIES
from factory.team.kinds_page import page

REPOSITORY = Path(__file__).parents[2]


def test_page_of_the_docs_is_made_from_the_kinds():
    assert (REPOSITORY / "docs/kinds.md").read_text() == page(), "run `make reference`"


def test_every_built_in_kind_and_key_is_there():
    text = page()
    for family in FAMILIES.values():
        for name in family.builtin:
            heading = f"`{family.key}: {name}`" if family.key else f"| `{name}` |"
            assert heading in text
    assert "| `delimiter` | none | What is between two values" in text
    assert '| `scale` | `{"cpu": 70, "max": 4, "min": 2}` |' in text


def test_default_is_written_beside_each_key_that_may_be_left_out():
    rows = {
        line.split("|")[1].strip(): line.split("|")[2].strip()
        for line in page().splitlines()
        if "|" in line
    }
    assert (rows["`instance_type`"], rows["`chunk_rows`"], rows["`delimiter`"]) == (
        "",
        "`50000`",
        "none",
    )
