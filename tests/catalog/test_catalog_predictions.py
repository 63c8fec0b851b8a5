"""Predictions as datasets among the others: names, links, columns, rings, schedules by models."""

from pathlib import Path

import pytest

from factory.catalog import check_project, read_all, readers_of
from tests.catalog.test_catalog import brief, datasets, model, shown, team
from tests.team.folder import Folder, make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(tmp_path)


def predict(text: str) -> str:
    return f"    predict: {{{text}}}\n"


DECLARED = "columns: {id: BIGINT, flipper: DOUBLE, mass: DOUBLE}, share_with: '*'"


def test_a_chain_of_teams_over_predictions_is_linked(folder: Folder) -> None:
    folder.write("sea", team("sea", datasets(catches=DECLARED)))
    extra = predict("input: sea.catches, keep: [id], share_with: [office]")
    folder.write("lab", team("lab", model("weight", "sea.catches", extra)))
    folder.write(
        "office",
        team(
            "office",
            datasets(report="source: {type: dataset, dataset: lab.weight_predictions}"),
            model("quota", "lab.weight_predictions").replace("target: mass", "target: prediction"),
        ),
    )
    project = read_all(folder.configs, None)
    assert project.problems == ()
    assert project.catalog.datasets["lab.weight_predictions"].columns == (
        *("id", "prediction", "model_version", "input_version"),
    )
    users = project.catalog.consumers["lab.weight_predictions"]
    assert {user.full_name for user in users} == {"office.report", "office.quota"}
    read_by = readers_of(folder.configs, "lab.weight_predictions", None)
    assert read_by == ("office.report", "office.quota")
    makers = project.catalog.consumers["sea.catches"]
    assert {user.full_name for user in makers} == {"lab.weight", "lab.weight_predictions"}


def test_predictions_are_private_until_they_are_shared(folder: Folder) -> None:
    folder.write("sea", team("sea", datasets(catches=DECLARED)))
    folder.write("lab", team("lab", model("weight", "sea.catches", predict("input: sea.catches"))))
    source = "source: {type: dataset, dataset: lab.weight_predictions}"
    folder.write("office", team("office", datasets(report=source)))
    private = "`lab.weight_predictions` is not shared with team `office`"
    advice = "add `share_with: [office]` to `predict` of `weight` in lab.yaml"
    assert shown(folder) == [("office:5", "lab.weight_predictions", private, advice)]
    extra = predict("input: sea.catches, share_with: [offiec]")
    folder.write("lab", team("lab", model("weight", "sea.catches", extra)))
    assert shown(folder)[0] == (
        "lab:11",
        "offiec",
        "there is no team `offiec`",
        "did you mean `office`?",
    )


def test_input_must_be_a_dataset_that_the_team_may_read(folder: Folder) -> None:
    folder.write("sea", team("sea", datasets(catches="share_with: [lab]", secret="reads: []")))
    extra = predict("input: sea.secret, reads: [sea.catchs, weight]")
    folder.write("lab", team("lab", model("weight", "sea.catches", extra)))
    instead = "`weight` is a model; only datasets can be read, such as its predictions, "
    assert [(found[1], found[3]) for found in shown(folder)] == [
        ("sea.secret", "add `share_with: [lab]` to `secret` in sea.yaml"),
        ("sea.catchs", "did you mean `sea.catches`?"),
        ("weight", f"{instead}`weight_predictions`"),
    ]


def test_name_of_predictions_is_the_teams_only_one(folder: Folder) -> None:
    models = (
        model("weight", "penguins", predict("input: penguins")),
        model("size", "penguins", predict("input: penguins, output: weight")),
        model("age", "penguins", predict("input: penguins, output: sums")),
    )
    others = (text.removeprefix("models:\n") for text in models[1:])
    published = datasets(penguins="reads: []", weight_predictions="reads: []")
    dags = "dags:\n  sums: {schedule: none}\n"
    folder.write("marine", team("marine", published, models[0], *others, dags))
    taken = "the name `{0}` is taken: the team has a {1} `{0}`"
    other = "give the predictions another name: add `output: ...` to `predict`"
    assert shown(folder) == [
        ("marine:14", "predict", taken.format("weight_predictions", "dataset"), other),
        ("marine:21", "weight", taken.format("weight", "model"), "give it another name"),
        (
            "marine:30",
            "sums",
            taken.format("sums", "dataset of predictions"),
            "give it another name",
        ),
    ]


def test_input_must_have_what_the_model_learns_from(folder: Folder) -> None:
    new = "columns: {id: BIGINT, fliper: DOUBLE}"
    folder.write("sea", team("sea", datasets(catches=DECLARED, new=f"{new}, share_with: '*'")))
    extra = "    features: [flipper]\n" + predict("input: sea.new, keep: [idd, id]")
    folder.write("lab", team("lab", model("weight", "sea.catches", extra)))
    lacks = "`sea.new` has no column `flipper`, which `weight` learns from"
    declared = "`sea.new` has no column `idd`, by the `columns` that it declares"
    assert shown(folder) == [
        ("lab:12", "sea.new", lacks, "did you mean `fliper`?"),
        ("lab:12", "idd", declared, "did you mean `id`?"),
    ]


def test_features_that_are_not_listed_are_those_of_the_training_dataset(folder: Folder) -> None:
    new = "columns: {id: BIGINT, mass: DOUBLE}, share_with: '*'"
    folder.write("sea", team("sea", datasets(catches=DECLARED, new=new)))
    folder.write("lab", team("lab", model("weight", "sea.catches", predict("input: sea.new"))))
    lacks = "`sea.new` has no column `flipper`, which `weight` learns from"
    assert shown(folder) == [("lab:11", "sea.new", lacks, "it has id, mass")]
    transforms = "    transforms: [{type: sql, query: select 1}]\n"
    extra = transforms + predict("input: sea.new")
    folder.write("lab", team("lab", model("weight", "sea.catches", extra)))
    assert shown(folder) == []


def test_checks_and_keys_name_columns_of_the_predictions(folder: Folder) -> None:
    folder.write("sea", team("sea", datasets(catches=DECLARED)))
    extra = predict(
        "input: sea.catches, keep: [id], write: {mode: merge, keys: [id, mass]}, "
        "checks: [{check: between, column: probability, min: 0}]"
    )
    folder.write("lab", team("lab", model("weight", "sea.catches", extra)))
    message = (
        "`weight_predictions` has no column `{}`, which holds what `keep` names and the predictions"
    )
    assert brief(folder) == [
        ("lab:11", "mass", message.format("mass")),
        ("lab:11", "probability", message.format("probability")),
    ]


def test_schedules_may_name_the_teams_own_models(folder: Folder) -> None:
    extra = predict("input: penguins, schedule: {all: [penguins, weight]}")
    folder.write(
        "marine",
        team(
            "marine",
            datasets(penguins="reads: []", card="schedule: weight"),
            model("weight", "penguins", extra),
        ),
    )
    assert shown(folder) == []


def test_schedules_name_no_model_of_another_team(folder: Folder) -> None:
    folder.write("sea", team("sea", datasets(catches=DECLARED)))
    folder.write("lab", team("lab", model("weight", "sea.catches", predict("input: sea.catches"))))
    folder.write(
        "office", team("office", datasets(a="schedule: lab.weight", b="schedule: lab.wait"))
    )
    only = "`weight` is a model; only datasets can be read, such as its predictions, "
    assert shown(folder) == [
        (
            "office:5",
            "lab.weight",
            "team `lab` publishes no dataset `weight`",
            f"{only}`lab.weight_predictions`",
        ),
        (
            "office:6",
            "lab.wait",
            "team `lab` publishes no dataset `wait`",
            "it publishes weight_predictions",
        ),
    ]


def test_misspelt_model_in_a_schedule_gets_a_suggestion(folder: Folder) -> None:
    datasets_ = datasets(penguins="reads: []", card="schedule: wieght")
    folder.write("marine", team("marine", datasets_, model("weight", "penguins")))
    assert shown(folder)[0][3] == "did you mean `weight`?"


def test_predictions_that_the_model_learns_from_are_a_ring(folder: Folder) -> None:
    source = "source: {type: dataset, dataset: lab.weight_predictions}, share_with: '*'"
    folder.write("sea", team("sea", datasets(catches=source)))
    extra = predict("input: other, share_with: '*'")
    own = datasets(other="reads: []")
    folder.write("lab", team("lab", own, model("weight", "sea.catches", extra)))
    ring = "lab.weight → lab.weight_predictions → sea.catches → lab.weight"
    message = f"these datasets and models wait for each other: {ring}"
    assert brief(folder) == [
        ("lab:9", "sea.catches", message),
        ("lab:13", "predict", message),
        ("sea:5", "lab.weight_predictions", message),
    ]


def test_model_or_predictions_that_start_themselves(folder: Folder) -> None:
    schedule = "    schedule: {any: [penguins, weight]}\n"
    extra = schedule + predict("input: weight_predictions")
    folder.write("marine", team("marine", datasets(penguins="reads: []"), model("weight", "penguins", extra)))  # fmt: skip
    assert brief(folder) == [
        ("marine:13", "weight", "`marine.weight` starts itself"),
        ("marine:14", "weight_predictions", "`marine.weight_predictions` reads itself"),
    ]


@pytest.mark.slow
def test_problems_are_found_in_every_environment(folder: Folder) -> None:
    overlay = "environments: {prod: {models: {weight: {predict: {input: nothing}}}}}\n"
    extra = predict("input: penguins")
    folder.write(
        "marine",
        team("marine", datasets(penguins="reads: []"), model("weight", "penguins", extra), overlay),
    )
    assert [problem.message for problem in check_project(folder.configs)] == [
        "this team publishes no dataset `nothing` (environment prod)"
    ]
