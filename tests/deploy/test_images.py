"""The image that serves a model: its context, its Dockerfile, and what builds and pushes it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from factory.base.errors import TerminalError
from factory.base.processes import CommandError, run
from factory.deploy.build_context import BuildContext, make_context
from factory.deploy.builders import ImageBuild, build_container_image, make_container_image
from factory.deploy.container_image import ContainerImage
from factory.deploy.requirements import SERVING, pinned
from factory.deploy.targets.target import DeployContext
from factory.trainers.fastai.trainer import FastaiTrainer
from tests.deploy.placed import NOWHERE
from tests.harness.programs import stand_in
from tests.harness.servers import free_port
from tests.models.records import record

REPOSITORY = "registry.example.org/ecology/species"
DIGEST = f"sha256:{'d' * 64}"
RELEASE = record(
    version=3,
    estimator="sklearn.linear_model.LogisticRegression",
    packages=("sklearn",),
    sha256="a" * 64,
)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "some_model"
    folder.mkdir()
    (folder / "MLmodel").write_text("{}")
    (folder / "model.skops").write_bytes(b"weights")
    return folder


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def image(**changes):
    return ContainerImage(repository=REPOSITORY, **changes)


def context(folder, files, **changes):
    return make_context(folder / "context", image(**changes), RELEASE, files)


def test_the_context_is_the_same_wherever_and_whenever_it_is_made(tmp_path, files):
    first = context(tmp_path / "a", files)
    (tmp_path / "other_model").mkdir()
    for file in files.iterdir():
        shutil.copyfile(file, tmp_path / "other_model" / file.name)
    os.utime(tmp_path / "other_model" / "MLmodel", (1, 1))
    second = context(tmp_path / "b", tmp_path / "other_model")
    assert first.reference == second.reference == f"{REPOSITORY}:3-{first.sha256[:12]}"
    times = {path.stat().st_mtime for path in second.folder.rglob("*")}
    assert times == {315532800.0}


def test_another_model_is_another_image(tmp_path, files):
    first = context(tmp_path, files)
    (files / "model.skops").write_bytes(b"other weights")
    assert context(tmp_path, files).reference != first.reference


def test_nothing_that_is_compiled_or_of_a_version_control_is_in_the_context(tmp_path, files):
    names = {path.name for path in context(tmp_path, files).folder.rglob("*")}
    assert not {name for name in names if name.endswith(".pyc") or name.startswith(".git")}
    assert "__pycache__" not in names


def test_what_is_installed_is_pinned_and_has_no_airflow():
    pins = dict(line.split("==") for line in pinned(SERVING))
    assert {"mlflow-skinny", "scikit-learn", "fastapi", "python-multipart"} <= set(pins)
    assert not [name for name in pins if "airflow" in name or name in ("torch", "boto3", "mlflow")]


ONLY = """
import importlib.abc, sys
from importlib import metadata
from pathlib import Path
from factory.trainers.fastai.trainer import FastaiTrainer
from factory.deploy.requirements import SERVING, pinned
from packaging.utils import canonicalize_name as plain

allowed = {line.partition("==")[0] for line in pinned(SERVING)} | {"ml-dag-factory"}
brought = metadata.packages_distributions()

class Only(importlib.abc.MetaPathFinder):
    def __init__(self, finders):
        self.finders = finders

    def find_spec(self, name, path=None, target=None):
        owners = brought.get(name.partition(".")[0])
        if owners and not {plain(owner) for owner in owners} & allowed:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.finders)
        return next(filter(None, found), None)

    def find_distributions(self, context):
        for finder in self.finders:
            yield from getattr(finder, "find_distributions", lambda _: ())(context)

for name in [n for n in sys.modules if brought.get(n.partition(".")[0]) and not n.startswith("factory")]:
    if not {plain(o) for o in brought[name.partition(".")[0]]} & allowed:
        del sys.modules[name]
sys.meta_path[:] = [Only(list(sys.meta_path))]
import factory.cli.main, factory.serving.server
from factory.serving.folder import load_folder
from factory.serving.limits import ServingLimits
print(load_folder(Path(sys.argv[1]), ServingLimits()).version.model)
"""


def test_what_the_image_installs_is_enough_to_serve(model_folder):
    done = subprocess.run(
        [sys.executable, "-c", ONLY, str(model_folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("ecology.species")


@pytest.mark.extras
def test_models_of_fastai_bring_torch_unless_the_base_has_it(tmp_path, files):
    release = RELEASE.model_copy(update={"estimator": "fastai.vision.learner.vision_learner"})
    brought = pinned((*SERVING, *FastaiTrainer.serving_distributions))
    folder = tmp_path / "context"
    made = make_context(
        folder, image(provided=("torch*", "nvidia-*", "cuda-*", "triton")), release, files
    )
    kept = (made.folder / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("torch==") for line in brought)
    assert any(line.startswith("fastai==") for line in kept)
    assert not [line for line in kept if line.startswith(("torch", "nvidia-", "triton"))]


def test_a_projects_own_code_comes_along(tmp_path, files, monkeypatch):
    package = tmp_path / "src" / "our_features"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(package.parent))
    release = RELEASE.model_copy(update={"packages": ("sklearn", "our_features")})
    made = make_context(tmp_path / "context", image(), release, files)
    assert (made.folder / "packages" / "our_features" / "__init__.py").is_file()
    gone = RELEASE.model_copy(update={"packages": ("no_such_package_at_all",)})
    with pytest.raises(TerminalError, match="not to be found here"):
        make_context(tmp_path / "context", image(), gone, files)


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(TerminalError, match='pip install "no-such-thing"'):
        pinned(["no-such-thing"])


HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
    "hadolint"
)


def lint(dockerfile: Path) -> tuple[int, str]:
    done = subprocess.run(
        [HADOLINT, "--no-color", str(dockerfile)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.skipif(not HADOLINT, reason="hadolint is not installed")
@pytest.mark.parametrize("with_model", [True, False])
def test_the_linter_of_dockerfiles_finds_nothing(tmp_path, files, with_model):
    made = make_context(tmp_path / "context", image(), RELEASE, files if with_model else None)
    assert lint(made.folder / "Dockerfile") == (0, "")


@pytest.mark.skipif(not HADOLINT, reason="hadolint is not installed")
@pytest.mark.parametrize("name", ["Dockerfile", "docker/training/Dockerfile"])
def test_the_linter_finds_nothing_in_the_projects_own_dockerfiles(name):
    assert lint(Path(__file__).parents[2] / name) == (0, "")


def test_the_dockerfile_runs_as_a_user_without_rights_and_says_what_it_holds(tmp_path, files):
    text = (context(tmp_path, files).folder / "Dockerfile").read_text()
    assert f"FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim\n" in text
    assert "\nUSER 10001:10001\n" in text
    assert "\nHEALTHCHECK " in text
    for label in ('factory.model="ecology.species"', 'factory.version="3"', f'sha256="{"a" * 64}"'):
        assert label in text
    assert 'ENTRYPOINT ["python", "-m", "factory"]\nCMD ["serve"]\n' in text


def test_an_image_without_a_model_is_named_by_its_content_alone(tmp_path, files):
    made = make_context(tmp_path / "context", image(), RELEASE, None)
    other = RELEASE.model_copy(update={"version": 4, "model": "ecology.other", "sha256": None})
    again = make_context(tmp_path / "again", image(), other, None)
    assert made.reference == again.reference == f"{REPOSITORY}:{made.sha256[:12]}"
    assert not (made.folder / "model").exists()


def test_docker_builds_and_pushes_and_its_digest_is_kept(tmp_path, files, programs):
    told = f'["other/x@sha256:{"0" * 64}", "{REPOSITORY}@{DIGEST}"]'
    docker = stand_in(programs, "docker", f"if sys.argv[1] == 'image': print({told!r})")
    secret = tmp_path / "pip.conf"
    secret.write_text("[global]\n")
    made = make_container_image(
        image(pip_conf="pip.conf"),
        RELEASE,
        tmp_path / "w",
        DeployContext(NOWHERE, tmp_path),
        model_folder=files,
    )
    assert made.reference == f"{REPOSITORY}@{DIGEST}"
    assert docker.words == ["build", "push", "image"]
    build, push = docker.calls[0]["args"], docker.calls[1]["args"]
    assert build[build.index("--tag") + 1] == made.facts["tag"] == push[-1]
    assert build[build.index("--platform") + 1] == "linux/amd64"
    assert build[build.index("--secret") + 1] == f"id=pip_conf,src={secret}"
    assert docker.calls[0]["env"] == {"DOCKER_BUILDKIT": "1"}


def test_an_image_that_stays_on_the_machine_is_not_pushed(tmp_path, files, programs):
    docker = stand_in(programs, "docker")
    made = make_container_image(
        image(push=False), RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
    )
    assert docker.words == ["build"]
    assert made.reference == made.facts["tag"]


_NOTES_DIGEST = (
    "import pathlib as p\n"
    "for name in ('--digestfile', '--digest-file'):\n"
    "    if name in sys.argv:\n"
    f"        p.Path(sys.argv[sys.argv.index(name) + 1]).write_text('{DIGEST}\\n')\n"
)


def test_buildah_is_taken_where_there_is_no_docker(tmp_path, files, programs):
    buildah = stand_in(programs, "buildah", _NOTES_DIGEST)
    made = make_container_image(
        image(), RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
    )
    assert made.reference == f"{REPOSITORY}@{DIGEST}"
    assert buildah.words == ["build", "push"]
    build = buildah.calls[0]["args"]
    assert build[build.index("--format") + 1] == "docker"
    assert build[build.index("--timestamp") + 1] == "315532800"


def test_kaniko_builds_and_pushes_in_one(tmp_path, files, programs):
    executor = stand_in(programs, "executor", _NOTES_DIGEST)
    made = make_container_image(
        image(builder="kaniko"), RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
    )
    (call,) = executor.calls
    assert call["args"][call["args"].index("--destination") + 1] == made.facts["tag"]
    assert "--reproducible" in call["args"]
    assert made.reference == f"{REPOSITORY}@{DIGEST}"


def test_a_machine_without_a_builder_says_what_it_lacks(tmp_path, files, programs):
    with pytest.raises(TerminalError, match="no docker, buildah, executor"):
        make_container_image(
            image(), RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
        )
    stand_in(programs, "docker")
    with pytest.raises(TerminalError, match="no buildah, which builds images"):
        make_container_image(
            image(builder="buildah"),
            RELEASE,
            tmp_path / "v",
            DeployContext(NOWHERE),
            model_folder=files,
        )


def test_a_build_that_fails_shows_its_last_words_without_secrets(tmp_path, files, programs):
    body = "print('password=hunter2planted https://joe:hunter2planted@x.org', file=sys.stderr); sys.exit(3)"
    stand_in(programs, "docker", body)
    with pytest.raises(CommandError, match="docker build failed with status 3") as failed:
        make_container_image(
            image(), RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
        )
    assert "hunter2planted@" not in str(failed.value)


def test_a_program_that_takes_too_long_is_ended(tmp_path, programs):
    stand_in(programs, "slow", "import time; time.sleep(60)")
    with pytest.raises(CommandError, match="stopped after 1 seconds"):
        run(["slow", "build"], seconds=1)


ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.fixture
def ecr(s3, monkeypatch):
    """moto's registry, which keeps records only; `aws` clients come to it."""
    import boto3

    client = boto3.client("ecr", region_name="eu-central-1")
    client.create_repository(repositoryName="ecology/species")
    yield client
    client.delete_repository(repositoryName="ecology/species", force=True)


def test_ecr_is_logged_in_to_without_a_secret_on_the_command_line(tmp_path, files, programs, ecr):
    buildah = stand_in(programs, "buildah", _NOTES_DIGEST)
    one = ContainerImage(repository=f"{ECR}/ecology/species")
    make_container_image(one, RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files)
    build, push = buildah.calls
    assert build["login"] is None
    (auth,) = json.loads(push["login"])["auths"].items()
    assert auth[0] == ECR
    assert push["mode"] == "0o600"
    assert auth[1]["auth"] not in json.dumps([call["args"] for call in buildah.calls])
    assert not Path(push["env"]["REGISTRY_AUTH_FILE"]).exists()


def test_an_image_that_ecr_has_is_not_built_again(tmp_path, files, programs, ecr):
    buildah = stand_in(programs, "buildah", _NOTES_DIGEST)
    one = ContainerImage(repository=f"{ECR}/ecology/species")
    first = make_container_image(
        one, RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/json", "size": 1, "digest": DIGEST},
        "layers": [],
    }
    ecr.put_image(
        repositoryName="ecology/species",
        imageManifest=json.dumps(manifest),
        imageTag=first.facts["tag"].rpartition(":")[2],
    )
    calls = len(buildah.calls)
    again = make_container_image(
        one, RELEASE, tmp_path / "v", DeployContext(NOWHERE), model_folder=files
    )
    assert len(buildah.calls) == calls
    assert again.facts["made"] == "earlier, from the same content"
    assert again.reference.startswith(f"{ECR}/ecology/species@sha256:")


def test_a_repository_that_is_not_there_is_terminal_and_says_how_to_make_it(
    tmp_path, files, programs, ecr
):
    stand_in(programs, "buildah", _NOTES_DIGEST)
    one = ContainerImage(repository=f"{ECR}/ecology/other")
    with pytest.raises(
        TerminalError, match="aws ecr create-repository --repository-name ecology/other"
    ):
        make_container_image(
            one, RELEASE, tmp_path / "w", DeployContext(NOWHERE), model_folder=files
        )


REAL = shutil.which("buildah"), shutil.which("docker-registry")


@pytest.mark.skipif(not all(REAL), reason="needs Debian's buildah and docker-registry")
def test_buildah_really_builds_and_really_pushes(tmp_path, monkeypatch):
    """A context on `scratch`: no base image can be fetched where tests run."""
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path / 'registry'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    known = tmp_path / "registries.conf"
    known.write_text(f'[[registry]]\nlocation = "127.0.0.1:{port}"\ninsecure = true\n')
    storage = tmp_path / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(known))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "model").write_text("weights")
    (folder / "Dockerfile").write_text(
        'FROM scratch\nLABEL factory.version="3"\nCOPY model /opt/ml/model\nUSER 10001\n'
        'HEALTHCHECK CMD ["/none"]\n'
    )
    repository = f"127.0.0.1:{port}/ecology/species"
    one = ContainerImage(repository=repository, builder="buildah")
    registry = subprocess.Popen([REAL[1], "serve", str(config)], stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            client.get(f"http://127.0.0.1:{port}/v2/")
            build = ImageBuild(
                BuildContext(folder, "0" * 64, f"{repository}:3-000000000000", {}),
                one,
                tmp_path / "notes",
                None,
                None,
            )
            reference = build_container_image(build)
            digest = reference.partition("@")[2]
            accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
            kept = client.get(
                f"http://127.0.0.1:{port}/v2/ecology/species/manifests/{digest}", headers=accept
            ).json()
            blob = kept["config"]["digest"]
            made = client.get(f"http://127.0.0.1:{port}/v2/ecology/species/blobs/{blob}").json()
    finally:
        registry.terminate()
        registry.wait()
    assert made["config"]["User"] == "10001"
    assert made["config"]["Labels"]["factory.version"] == "3"
    assert made["config"]["Healthcheck"]["Test"] == ["CMD", "/none"]
    assert made["created"] == "1980-01-01T00:00:00Z"
