"""What tests of the lake share."""

from pathlib import Path

import pytest

from tests.lake.publisher import Publisher


@pytest.fixture
def publish(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)
