"""The platform's own document: off unless it is asked for."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from factory.documents.compile import compile_platform
from factory.documents.installation import Installation
from factory.documents.rendering import to_yaml
from factory.team.team import PlatformConfig

HERE = Installation(storage="s3://lake", workspace="/scratch", project=Path("/project"))
GOLDEN = Path(__file__).parent / "golden" / "maintenance.yaml"


def platform(**section: object) -> PlatformConfig:
    return PlatformConfig.model_validate({"maintenance": section})


def test_nothing_is_taken_away_by_itself_unless_the_platform_says_so():
    assert compile_platform(PlatformConfig(), HERE) == {}


def test_maintenance_renders_its_golden_file():
    text = to_yaml(compile_platform(platform(grace="2h"), HERE))
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "REWRITE_GOLDEN=1 rewrites the file; review the difference"


def test_each_kind_of_leftover_has_a_task_that_waits_for_no_other():
    document = compile_platform(platform(schedule="0 4 * * 0", keep_logs="1w"), HERE)["maintenance"]
    assert document["schedule"] == "0 4 * * 0"
    assert list(document["tasks"]) == ["workspaces", "lake", "mlflow", "logs"]
    assert not any(task.get("dependencies") for task in document["tasks"].values())
    assert document["tasks"]["logs"]["op_kwargs"] == {"keep": 7 * 24 * 60 * 60}


def test_maintenance_runs_at_times_and_not_for_datasets():
    with pytest.raises(ValidationError, match="maintenance runs at times"):
        platform(schedule="sea.raw")
