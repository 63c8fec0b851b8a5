"""A transform of somebody else's package makes rows by what is documented, and nothing else."""

import pytest
from pydantic import TypeAdapter

from factory.base.section import Surroundings
from factory.data.transforms.run import transform
from factory.data.transforms.transform import AnyTransform
from tests.data.rows import lake_in, read, rows_of
from tests.plugins import installed

CODE = '''
from typing import Literal

import pyarrow.parquet as pq

from factory.data.transforms.transform import Transform, TransformContext


class Repeat(Transform):
    """Every row several times."""

    type: Literal["repeat"]
    times: int

    def apply(self, context: TransformContext):
        return context.write(pq.read_table(context.rows.file) for _ in range(self.times))

    def known_columns(self, before):
        return before
'''


@pytest.fixture(autouse=True)
def plugin(tmp_path):
    with installed(tmp_path, "acme_repeat", CODE, transform={"repeat": "Repeat"}):
        yield


def test_transform_of_a_plugin_makes_the_rows(tmp_path):
    context = Surroundings(tmp_path, (), ("acme_repeat",))
    step = TypeAdapter(AnyTransform).validate_python(
        {"type": "repeat", "times": 2}, context=context
    )
    rows = rows_of("select 1 as id, 'a' as name", tmp_path, "source")
    after = transform(
        [step, step], rows, workspace=tmp_path, lake=lake_in(tmp_path), versions={}, team="a"
    )
    assert read(after) == [(1, "a")] * 4
    assert step.known_columns(("id", "name")) == tuple(after.columns)
    assert sorted(file.name for file in tmp_path.glob("*.parquet")) == [
        "source.parquet",
        "source_transform_2.parquet",
    ]
