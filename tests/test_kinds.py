"""The register of kinds: the built-in ones, and those of plug-ins."""

from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from factory import kinds
from factory.catalog import check_project, read_all
from factory.data.dataset import Dataset
from factory.kinds import FAMILIES, SOURCE
from factory.team.reader import read_platform
from factory.team.schema import team_schema
from tests.plugins import installed

FEED = '''
from typing import Literal

from factory.data.sources.source import Source


class Feed(Source):
    """Entries of a feed."""

    type: Literal["feed"]
    topic: str
    """What it is about."""

    def read(self, context):
        return context.write([], self.topic)


class Silent(Source):
    type: Literal["silent"]


class Nothing:
    pass
'''
TEAM = """version: 1
team: press
owner: press@example.org
datasets:
  news:
    source: {type: feed, topic: trains}
"""
OTHER = """version: 1
team: other
owner: other@example.org
datasets:
  rows:
    source: {type: csv, path: data/rows.csv}
"""


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "press.yaml").write_text(TEAM)
    (folder / "other.yaml").write_text(OTHER)
    return folder


def allow(configs: Path, *plugins: str) -> None:
    names = ", ".join(plugins)
    (configs / "_defaults.yaml").write_text(f"version: 1\nplugins: [{names}]\n")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_built_in_kinds_can_be_loaded_and_say_what_they_are(family):
    for kind in kinds.builtin(family):
        assert kind.package == "factory"
        assert kind.summary, f"{family.name} {kind.name} has no documentation"
        if family.key is not None:
            said = kind.target.model_fields[family.key].annotation
            assert kind.name in said.__args__, f"{family.name} {kind.name} calls itself {said}"


def test_kind_of_an_allowed_plug_in_is_one_like_any_other(configs, tmp_path):
    allow(configs, "acme_press")
    with installed(tmp_path, "acme_press", FEED, source={"feed": "Feed"}):
        assert check_project(configs) == []
        [kind] = [kind for kind in kinds.kinds(SOURCE, ("acme_press",)) if kind.name == "feed"]
        assert (kind.package, kind.summary) == ("acme_press", "Entries of a feed.")


def test_plug_in_that_is_not_allowed_adds_nothing(configs, tmp_path):
    with installed(tmp_path, "acme_press", FEED, source={"feed": "Feed"}):
        [problem] = check_project(configs)
    assert problem.message == "there is no `type: feed`"
    assert (problem.line, problem.file.name) == (6, "press.yaml")


def test_mistake_in_a_plug_ins_section_is_located(configs, tmp_path):
    allow(configs, "acme_press")
    (configs / "press.yaml").write_text(TEAM.replace("topic", "topics"))
    with installed(tmp_path, "acme_press", FEED, source={"feed": "Feed"}):
        found = check_project(configs)
    assert [problem.message for problem in found] == [
        "`topic` is missing",
        "unknown key `topics`",
    ]
    assert found[1].suggestion == "did you mean `topic`?"


def test_plug_in_that_fails_to_import_is_a_problem_and_takes_nothing_else_away(configs, tmp_path):
    allow(configs, "acme_press")
    with installed(tmp_path, "acme_press", "import no_such_module", source={"feed": "Feed"}):
        project = read_all(configs, None)
    assert set(project.teams) == {"other"}
    broken, unknown = sorted(project.problems, key=lambda problem: problem.file.name)
    assert broken.file.name == "_defaults.yaml"
    assert (broken.line, broken.column) == (2, 11)
    assert "`acme_press`: its source `feed` cannot be loaded" in broken.message
    assert "no_such_module" in broken.message
    assert unknown.message == "there is no `type: feed`"


def test_plug_in_that_is_not_installed_is_a_problem(configs):
    allow(configs, "acme_press")
    messages = [problem.message for problem in check_project(configs)]
    assert any("no installed package `acme_press` adds kinds" in text for text in messages)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"csv": "Feed"}, "there is a source `csv` already"),
        ({"nothing": "Nothing"}, "acme_press:Nothing is no factory.data.sources.source.Source"),
        ({"silent": "Silent"}, "Silent lacks what every source has: read"),
        ({"feeds": "Feed"}, 'write `type: Literal["feeds"]` in it'),
    ],
)
def test_entry_point_that_makes_no_kind_is_a_problem(configs, tmp_path, points, message):
    allow(configs, "acme_press")
    (configs / "press.yaml").unlink()
    with installed(tmp_path, "acme_press", FEED, source=points):
        [problem] = check_project(configs)
    assert message in problem.message


def test_section_from_a_document_finds_its_plug_in_by_itself(tmp_path):
    written = {"source": {"type": "feed", "topic": "trains"}}
    with installed(tmp_path, "acme_press", FEED, source={"feed": "Feed"}):
        dataset = Dataset.model_validate(written)
        assert dataset.model_dump(mode="json", exclude_defaults=True) == written
    with pytest.raises(ValidationError, match="feed"):
        Dataset.model_validate(written)


def test_schema_knows_the_kinds_of_plug_ins_and_the_texts_of_fields(configs, tmp_path):
    allow(configs, "acme_press")
    with installed(tmp_path, "acme_press", FEED, source={"feed": "Feed"}):
        schema = team_schema(read_platform(configs, None))
    assert schema["$defs"]["Feed"]["properties"]["topic"]["description"] == "What it is about."
    schemas = jsonschema.Draft202012Validator(schema)
    assert schemas.is_valid(yaml.safe_load(TEAM))
    assert not schemas.is_valid(yaml.safe_load(TEAM.replace("topic", "topics")))
