"""The platform files that docs/storage.md shows."""

import re
from pathlib import Path

import pytest

from factory.team.reader import read_platform

PAGE = Path(__file__).parents[3] / "docs" / "storage.md"
BLOCKS = [
    block
    for block in re.findall(r"^```yml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    if "storage:" in block
]


@pytest.mark.parametrize("block", BLOCKS)
def test_platform_file_puts_production_into_s3(block, tmp_path):
    (tmp_path / "_defaults.yaml").write_text(block)
    platform = read_platform(tmp_path, "prod").config
    assert platform.storage == "s3://example-lake/prod"
    assert platform.storage_connection == "aws_lake"


def test_there_are_platform_files_to_look_at():
    assert len(BLOCKS) == 2
