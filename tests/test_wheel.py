"""The wheel has all that the package needs: it works outside of its repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")

pytestmark = pytest.mark.skipif(not UV.exists(), reason="`make install` brings uv, which is quick")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the wheel's files, which Python reads in place of the repository's."""
    built = tmp_path_factory.mktemp("wheel")
    subprocess.run([UV, "build", "--wheel", "--quiet", "--out-dir", built, ROOT], check=True)
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "installed")
    return built / "installed"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where nothing leads to the repository: PYTHONPATH comes before an editable install."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FACTORY_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**inherited, "PYTHONPATH": str(installed)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_file_of_the_package_that_is_no_code_is_in_the_wheel(installed):
    wanted = {
        str(file.relative_to(ROOT))
        for pattern in ("*.jinja", "*.yaml", "py.typed")
        for file in (ROOT / "factory").rglob(pattern)
    }
    wanted |= {
        f"factory/scenarios/shipped/configs/{name.name}" for name in (ROOT / "configs").iterdir()
    }
    assert [name for name in sorted(wanted) if not (installed / name).is_file()] == []


def test_project_is_made_and_validated_in_an_empty_folder(installed, tmp_path):
    (tmp_path / "orders.csv").write_text("".join(f"{n},{n % 7}\n" for n in range(100)))
    found = run(installed, tmp_path, "-c", "import factory; print(factory.__file__)")
    assert found.stdout.strip() == str(installed / "factory" / "__init__.py")
    for arguments, said in (
        (("--version",), "ml-dag-factory 0."),
        (("init", "shop", "--from", "orders.csv"), "Next: cd shop"),
        (("validate", "-C", "shop"), "no problems"),
        (("explain", "F089"), "A question that a person has to answer"),
        (("test", "-C", "shop"), "rendered and built"),
        (("render", "orders", "-C", "shop"), "orders.orders"),
    ):
        done = run(installed, tmp_path, "-m", "factory", *arguments)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout, arguments


def test_shipped_teams_make_a_project_that_validates(installed, tmp_path):
    make = (
        "from pathlib import Path; from factory.scenarios.story import make_project; "
        f"make_project(Path({str(tmp_path)!r}), package='factory.scenarios.shipped')"
    )
    made = run(installed, tmp_path, "-c", make)
    assert made.returncode == 0, made.stderr
    done = run(installed, tmp_path, "-m", "factory", "validate")
    assert (done.returncode, "3 team files: no problems" in done.stdout) == (0, True), done.stdout
