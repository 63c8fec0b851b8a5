"""`factory explain`: a dataset or a model in words, and the line that says each of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.catalog import read_all
from factory.cli.main import app

DEFAULTS = """\
version: 1
python_packages: [sklearn]
models:
  split: {test: 0.3}
"""
SEA = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    description: All catches.
    schedule: "@daily"
    source: {type: csv, path: data/catches.csv}
    transforms:
      - {type: sql, query: select * from source}
    checks:
      - {check: row_count, min: 10, on_fail: warn}
    share_with: [lab]
"""
LAB = """\
version: 1
team: lab
owner: lab@example.org
models:
  species:
    task: classification
    train_on: sea.catches
    target: species
    positive: "Gadus morhua"
    metrics: [{name: f2, metric: fbeta, params: {beta: 2}}]
    preprocessing:
      - {columns: [length, girth], steps: [sklearn.preprocessing.PowerTransformer]}
      - {columns: {regex: "^note"}, steps: drop}
      - columns: rest
        steps:
          - {transformer: sklearn.impute.SimpleImputer, params: {add_indicator: [true, false]}}
          - sklearn.preprocessing.StandardScaler
    search:
      strategy: random
      trials: 12
      candidates:
        - estimator: sklearn.linear_model.LogisticRegression
          params: {C: {loguniform: [0.1, 10]}, max_iter: [100, 200], penalty: l2}
    objective: {metric: f1_macro}
    guard: {leakage: warn}
    promotion:
      require: {f1_macro: {min: 0.6}, model_mb: {max: 50}}
      beat_champion: {relative: 0.02}
      confidence: 0.95
      slices: {columns: [port, gear], max_loss: 0.05}
      approval: {assignees: [anna], response_timeout: 12h}
    retrain_when: {rows_added: 1000, drift: true}
    predict:
      input: sea.catches
      keep: [port]
      schedule: species
      probabilities: [Gadus morhua]
      explain: 2
      export: {connection: warehouse, table: public.species}
    monitor: {on_breach: [notify, retrain]}
    deploy: {type: process}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FACTORY_ENVIRONMENT", raising=False)
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "_defaults.yaml").write_text(DEFAULTS)
    (configs / "sea.yaml").write_text(SEA)
    (configs / "lab.yaml").write_text(LAB)
    assert read_all(configs, None).problems == ()
    return tmp_path


def call(project: Path, *arguments: str):
    return CliRunner().invoke(app, ["explain", *arguments, "--project", str(project)])


def told(project: Path, name: str) -> dict[str, str]:
    """The place of each sentence, by its heading and text."""
    found = json.loads(call(project, name, "--output", "json").output)
    return {f"{one['about']}: {one['text']}": one["place"] for one in found["lines"]}


def line(text: str, part: str) -> int:
    [number] = [n for n, one in enumerate(text.splitlines(), 1) if part in one]
    return number


def test_it_is_told_how_a_model_is_fitted(project):
    weighed = "    weights: boats\n    class_weight: {cod: 2}\n    refit: train+validation\n"
    sampled = "    resample: {sampler: sklearn.utils.Bunch, params: {size: [1, 2]}}\n"
    logs = LAB.replace("task: classification", "task: regression").replace("f1_macro", "r2")
    of_classes = ("positive", "probabilities")
    logs = "\n".join(one for one in logs.splitlines() if not any(key in one for key in of_classes))
    transformed = "    target_transform: log1p\n"
    for added, text, sentences in (
        (
            weighed,
            LAB,
            {
                "What it is made of: in training, rows count by boats": "weights",
                "What it is made of: in training, rows count by their class: {cod: 2.0}": "class_w",
                "How the winner is chosen: it is trained once more, on training and validation rows": "refit",
            },
        ),
        (
            sampled,
            LAB,
            {"What it is made of: training rows are resampled: Bunch (size 1, 2)": "resample"},
        ),
        (
            transformed,
            logs.replace("    metrics: [{name: f2, metric: fbeta, params: {beta: 2}}]\n", ""),
            {"What it is made of: the target is learned on another scale: log1p": "target_tr"},
        ),
    ):
        written = text.replace("    search:", f"{added}    search:")
        (project / "configs" / "lab.yaml").write_text(written)
        found = told(project, "lab.species")
        for sentence, part in sentences.items():
            assert found[sentence] == f"configs/lab.yaml:{line(written, f'    {part}')}"


def test_folds_are_told_with_what_is_chosen_by_them(project):
    (project / "configs" / "lab.yaml").write_text(
        LAB.replace("strategy: random", "strategy: grid\n      choose: one_standard_error")
        .replace("      trials: 12\n", "")
        .replace("{loguniform: [0.1, 10]}", "[0.1, 10]")
        .replace("    search:", "    split: {validation: {folds: 5, repeats: 2}}\n    search:")
    )
    found = told(project, "lab.species")
    folds = "What it is made of: 5 folds, 2 times, of the rows that are not for the test"
    mean = "the trial with the highest f1_macro as the mean over 5 folds, 2 times"
    near = "or the one written first of those within one standard error of it"
    text = (project / "configs" / "lab.yaml").read_text()
    assert found[folds] == f"configs/lab.yaml:{line(text, 'folds')}"
    assert f"How the winner is chosen: {mean}" in found
    assert found[f"How the winner is chosen: {near}"] == f"configs/lab.yaml:{line(text, 'choose')}"


@pytest.mark.parametrize(
    ("sentence", "written"),
    [
        ("When it is trained: when sea.catches has changed", "train_on"),
        ("What the sweep tries: 12 trials, by the strategy random", "strategy"),
        (
            "What the sweep tries: LogisticRegression: C between 0.1 and 10 (loguniform); max_iter 100, 200; penalty l2",
            "estimator",
        ),
        (
            "What it is made of: length, girth: PowerTransformer",
            "columns: [length, girth]",
        ),
        ("What it is made of: columns that match ^note: left out", "regex"),
        (
            "What it is made of: all other columns: SimpleImputer (add_indicator true, false), then StandardScaler",
            "columns: rest",
        ),
        (
            "How the winner is chosen: the trial with the highest f1_macro on the validation rows",
            "objective",
        ),
        ("What it is made of: the class that counts is Gadus morhua", "positive"),
        ("How the winner is chosen: f2 is fbeta with beta 2", "f2"),
        ("What must hold before it goes live: the guard leakage: warn", "guard"),
        (
            "What must hold before it goes live: f1_macro on the test rows is at least 0.6",
            "require",
        ),
        (
            "What must hold before it goes live: it beats the champion by at least 2.00% of its score",
            "beat_champion",
        ),
        ("What must hold before it goes live: model_mb is at most 50", "require"),
        (
            "What must hold before it goes live: that is so with a confidence of 0.95, by a bootstrap of the test rows",
            "confidence",
        ),
        (
            "What must hold before it goes live: in no slice of the test rows by port, gear is it worse than the champion by more than 0.05; slices of fewer than 30 rows are left out",
            "slices",
        ),
        ("Who is asked: anna", "approval"),
        ("Who is asked: where nobody answers within 12 hours, the champion stays", "approval"),
        ("Where it is deployed: process", "deploy"),
        (
            "Where it is deployed: its predictions about sea.catches are the dataset lab.species_predictions",
            "predict",
        ),
        (
            "What starts a retraining: when monitoring finds a drift or a loss of quality",
            "monitor",
        ),
        ("What starts a retraining: only if 1,000 rows were added", "retrain_when"),
        ("What starts a retraining: or if drift started the run", "retrain_when"),
        ("Who reads it: lab.species_predictions runs after it", "schedule: species"),
    ],
)
def test_each_sentence_about_a_model_names_the_line_that_says_so(project, sentence, written):
    assert told(project, "lab.species")[sentence] == f"configs/lab.yaml:{line(LAB, written)}"


def test_what_the_platform_says_is_placed_in_its_file_and_the_rest_is_by_default(project):
    found = told(project, "lab.species")
    assert found["What it is made of: test rows: 30% of the rows"] == "configs/_defaults.yaml:4"
    assert found["What it is made of: validation rows: 20% of the rows"] == "by default"
    assert found["What is watched: numeric features by psi"] == "by default"


def test_a_dataset_is_told_with_its_readers_of_other_teams_in_their_own_files(project):
    found = told(project, "sea.catches")
    assert found["When it runs: every day at 0:00"] == "configs/sea.yaml:7"
    assert found[
        "What is checked: row_count(at least 10): where it fails, only the log says so"
    ] == ("configs/sea.yaml:12")
    learns = found["Who reads it: lab.species learns from it"]
    assert learns == f"configs/lab.yaml:{line(LAB, 'train_on')}"
    assert found["What it is made of: new rows replace the published ones"] == "by default"


def test_predictions_are_a_dataset_of_their_model(project):
    found = told(project, "lab.species_predictions")
    for text, written in (
        (
            "What it is made of: what the champion of species says about the rows of sea.catches",
            "input: sea.catches",
        ),
        (
            "What it is made of: it has columns for the probability of Gadus morhua",
            "probabilities:",
        ),
        (
            "What it is made of: it names the 2 features that contribute the most, for the first 1,000 rows",
            "explain:",
        ),
        (
            "Who reads it: each run's rows go into the database table public.species too (replace)",
            "export:",
        ),
    ):
        assert found[text] == f"configs/lab.yaml:{line(LAB, written)}"


def test_lines_fit_a_terminal_of_80_columns(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("factory.cli.console.console._width", 80)
    shown = call(project, "lab.species").output
    assert shown.startswith("lab.species, a model\n\nWhat it is\n  a model of lab@example.org")
    assert max(map(len, shown.splitlines())) <= 80


def test_an_unknown_name_gets_a_suggestion(project):
    done = call(project, "sea.catchs")
    assert done.exit_code == 1
    assert "did you mean `sea.catches`?" in done.output


def test_of_a_team_whose_file_is_broken_it_is_said(project):
    (project / "configs" / "sea.yaml").write_text(SEA.replace("owner:", "ownr:"))
    assert "`factory validate` lists them" in call(project, "sea.catches").output


def test_codes_are_told_as_before(project):
    assert call(project, "f020").output.startswith("## F020: ")
    assert "F020  " in call(project).output
    done = call(project, "F999")
    assert (done.exit_code, "there is no code 'F999'" in done.output) == (2, True)
