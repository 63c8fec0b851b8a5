"""Every code means one thing, and its examples show it."""

import ast
import tomllib
from pathlib import Path

import pytest

from factory.catalog import check_project
from factory.team.codes import REFUSED, Code, code_of, page, table

REPOSITORY = Path(__file__).parents[2]
MODELS = """\
models:
  task: classification
  train_on: customers
  target: left
  search: {strategy: grid, candidates: [{estimator: sklearn.svm.SVC, params: {C: [0.1, 1]}}]}
  objective: {metric: f1_macro}
"""
DEFAULTS = {
    "operators": "operators: ['*']\n",
    "python_packages": "python_packages: [sklearn, lightgbm, fastai, harbour_models]\n",
}
CUSTOMERS = "datasets:\n  customers:\n    source: {type: csv, path: data/customers.csv}\n"
FLEET = """\
version: 1
team: fleet
owner: fleet@example.org
datasets:
  trips: {source: {type: csv, path: data/trips.csv}}
  ships: {source: {type: csv, path: data/ships.csv}, share_with: "*"}
environments: {prod: {owner: fleet@example.com}}
"""

EXAMPLES = [
    pytest.param(
        code,
        example,
        id=f"{code.id}-{kind}",
        marks=[pytest.mark.extras] if code.extra else [],
    )
    for code in table().values()
    for kind, example in (("wrong", code.wrong), ("right", code.right))
    if example
]


def completed(example: str) -> str:
    """A team file with what an example leaves out."""
    if example.startswith("-"):
        return example
    head = {"version": "1", "team": "harbour", "owner": "crew@example.org"}
    lines = example.splitlines()
    missing = [
        f"{key}: {value}"
        for key, value in head.items()
        if not any(one.startswith(f"{key}:") for one in lines)
    ]
    is_something = any(one.startswith(("datasets:", "dags:", "-")) for one in lines)
    return "\n".join([*missing, example]) + ("" if is_something else CUSTOMERS)


def codes_of(code: Code, example: str, configs: Path) -> set[str]:
    configs.mkdir()
    (configs.parent / "data").mkdir()
    is_team = code.file == "team.yaml"
    defaults = MODELS + "".join(DEFAULTS.values())
    (configs / "_defaults.yaml").write_text(defaults if is_team else f"{defaults}{example}")
    (configs / "harbour.yaml").write_text(completed(example if is_team else ""))
    if code.name != "unlisted_team":
        (configs / "fleet.yaml").write_text(FLEET)
    return {problem.code for problem in check_project(configs)}


@pytest.mark.parametrize(("code", "example"), EXAMPLES)
def test_examples_of_a_code_have_the_problem_and_have_none(code, example, tmp_path):
    found = codes_of(code, example, tmp_path / "configs")
    if example == code.wrong:
        assert code.id in found, found
    else:
        assert not found


def test_every_error_of_ours_has_a_code():
    unknown = set()
    for path in (REPOSITORY / "factory").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            is_named = name in ("PydanticCustomError", "Finding", "problem", "problem_at")
            if is_named and isinstance(first, ast.Constant) and "checks" not in path.parts:
                unknown |= {first.value} if code_of(first.value) == REFUSED else set()
    assert unknown == set()


def test_extras_that_examples_need_are_there():
    known = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {one.extra for one in table().values()} - {""} <= known["optional-dependencies"].keys()


def test_a_name_has_one_code():
    names = [name for code in table().values() for name in (code.name, *code.errors)]
    assert len(names) == len(set(names))


def test_page_of_the_docs_is_that_of_the_table():
    assert (REPOSITORY / "docs/codes.md").read_text() == page(), "run `make codes`"
