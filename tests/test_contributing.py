"""The recipes of CONTRIBUTING.md, followed to the letter on a copy of the code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
RECIPE = re.compile(r"^### (Add .+?)\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
# What to do with a block of code stands in the sentence before it.
STEP = re.compile(r"([^\n]*\n?[^\n]*`([\w/]+\.py)`):\n\n```python\n(.*?)```", re.DOTALL)


def recipes() -> list:
    return [pytest.param(text, id=title) for title, text in RECIPE.findall(PAGE)]


def follow(recipe: str, folder: Path) -> list[Path]:
    """Do what a recipe says below a folder; the test files that it writes."""
    tests = []
    for sentence, path, code in STEP.findall(recipe):
        file = folder / path
        if table := re.search(r"in the table of `(\w+)`", sentence):
            head, tail = file.read_text().split(f"\n{table[1]} = Family(", 1)
            before, after = tail.split("builtin={\n", 1)
            file.write_text(f"{head}\n{table[1]} = Family({before}builtin={{\n{code}{after}")
        elif "at the end of" in sentence:
            # What is indented belongs to the class that the file ends with.
            blank = "" if code.startswith(" ") else "\n\n"
            file.write_text(f"{file.read_text()}{blank}{code}")
        elif "among the imports of" in sentence:
            head, tail = file.read_text().split("\nfrom factory.", 1)
            file.write_text(f"{head}\n{code}from factory.{tail}")
        else:
            assert not file.exists(), f"{path} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code)
        if file.name.startswith("test_"):
            tests.append(file)
    return tests


@pytest.mark.slow
@pytest.mark.parametrize("recipe", recipes())
def test_recipe_makes_a_kind_that_works(recipe, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "factory", tmp_path / "factory", ignore=ignored)
    tests = follow(recipe, tmp_path)
    assert len(tests) == 1
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_recipes_are_there_for_the_kinds_that_people_add_most():
    titles = {title for title, _ in RECIPE.findall(PAGE)}
    assert titles >= {
        "Add a source",
        "Add a check",
        "Add a metric",
        "Add a guard",
        "Add a trainer",
        "Add a deploy target",
    }
