"""All teams together: links, sharing, cycles, columns, and who stays healthy."""

import shutil
from pathlib import Path

import pytest

from factory.base import answers
from factory.catalog import check_project, read_all, read_one
from factory.team.problems import ReadFailed
from tests.team.folder import Folder, make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(tmp_path)


def team(name: str, *sections: str) -> str:
    return f"version: 1\nteam: {name}\nowner: {name}@example.org\n" + "".join(sections)


def datasets(**bodies: str) -> str:
    """Datasets by name; the body is what stands beside the source, as flow YAML."""
    source = "source: {type: csv, path: data/a.csv}"
    lines = (
        f"  {name}: {{{body if 'source' in body else f'{source}, {body}'}}}\n"
        for name, body in bodies.items()
    )
    return "datasets:\n" + "".join(lines)


def model(name: str, train_on: str, extra: str = "") -> str:
    return (
        f"models:\n  {name}:\n    task: regression\n    train_on: {train_on}\n    target: mass\n"
        "    search: {strategy: list, trials: [{estimator: sklearn.linear_model.Ridge}]}\n"
        f"    objective: {{metric: r2}}\n{extra}"
    )


def shown(folder: Folder) -> list[tuple[str, str, str, str | None]]:
    """Each problem as (file and line, the text that it points at, message, suggestion)."""
    return [
        (
            f"{problem.file.stem}:{problem.line}",
            problem.source[problem.column - 1 :][: problem.length],
            problem.message,
            problem.suggestion,
        )
        for problem in read_all(folder.configs, None).problems
    ]


def brief(folder: Folder) -> list[tuple[str, str, str]]:
    return [found[:3] for found in shown(folder)]


def test_consumer_is_linked_to_its_producer(folder: Folder) -> None:
    folder.write("marine", team("marine", datasets(penguins="share_with: [ecology]")))
    folder.write("ecology", team("ecology", model("species", "marine.penguins")))
    project = read_all(folder.configs, "dev")
    assert project.problems == ()
    assert list(project.teams) == ["ecology", "marine"]
    assert project.catalog.datasets["marine.penguins"].team.name == "marine"
    (consumer,) = project.catalog.consumers["marine.penguins"]
    assert (consumer.full_name, consumer.section) == ("ecology.species", "models")


def test_unknown_names_are_shown_where_they_are_written(folder: Folder) -> None:
    folder.write("marine", team("marine", datasets(penguins="share_with: '*'")))
    folder.write(
        "ecology",
        team(
            "ecology",
            datasets(
                a="source: {type: dataset, dataset: marin.penguins}",
                b="reads: [marine.penguin, penguins]",
                c="schedule: {any: [marine.gulls]}",
                d="schedule: daily",
                e="source: {type: dataset, dataset: species}",
            ),
            model("species", "{all: [marine.penguins, aa]}", "    transforms: [{type: sql, query: x}]\n"),
        ),
    )  # fmt: skip
    other, own = "team `marine` publishes no dataset", "this team publishes no dataset"
    meant = "did you mean `marine.penguins`?"
    model_only = "`species` is a model; only datasets can be read"
    assert shown(folder) == [
        ("ecology:5", "marin.penguins", "there is no team `marin`", meant),
        ("ecology:6", "marine.penguin", f"{other} `penguin`", meant),
        ("ecology:6", "penguins", f"{own} `penguins`", meant),
        ("ecology:7", "marine.gulls", f"{other} `gulls`", "it publishes penguins"),
        ("ecology:8", "daily", f"{own} `daily`", 'did you mean "@daily"?'),
        ("ecology:9", "species", f"{own} `species`", model_only),
        ("ecology:13", "aa", f"{own} `aa`", "did you mean `a`?"),
    ]


@pytest.mark.parametrize(
    ("shared", "advice"),
    [
        ("columns: {mass: DOUBLE}", "add `share_with: [ecology]` to `penguins` in marine.yaml"),
        ("share_with: [fishery]", "add `ecology` to `share_with` of `penguins` in marine.yaml"),
    ],
)
def test_dataset_is_private_until_it_is_shared(folder: Folder, shared: str, advice: str) -> None:
    folder.write("fishery", team("fishery", datasets(catches="reads: []")))
    folder.write("marine", team("marine", datasets(penguins=shared)))
    folder.write("ecology", team("ecology", model("species", "marine.penguins")))
    assert shown(folder) == [
        (
            "ecology:7",
            "marine.penguins",
            "`marine.penguins` is not shared with team `ecology`",
            advice,
        )
    ]
    assert list(read_all(folder.configs, None).teams) == ["fishery", "marine"]


def test_sharing_with_a_team_that_does_not_exist(folder: Folder) -> None:
    folder.write("ecology", team("ecology", datasets(a="reads: []")))
    folder.write("marine", team("marine", datasets(penguins="share_with: [ecologi]")))
    assert shown(folder) == [
        ("marine:5", "ecologi", "there is no team `ecologi`", "did you mean `ecology`?")
    ]


def test_cycle_is_named_whole_in_every_file_that_closes_it(folder: Folder) -> None:
    dataset = "source: {{type: dataset, dataset: {}}}, share_with: '*'"
    folder.write("a", team("a", datasets(x=dataset.format("c.z"))))
    folder.write("b", team("b", datasets(y=dataset.format("a.x"), own="reads: []")))
    folder.write("c", team("c", datasets(z="schedule: b.y, share_with: '*'")))
    folder.write("d", team("d", datasets(w=dataset.format("a.x"))))
    ring = "these datasets wait for each other: a.x → b.y → c.z → a.x"
    assert brief(folder) == [("a:5", "c.z", ring), ("b:5", "a.x", ring), ("c:5", "b.y", ring)]
    assert list(read_all(folder.configs, None).teams) == ["d"]


def test_dataset_that_reads_itself(folder: Folder) -> None:
    folder.write("marine", team("marine", datasets(penguins="reads: [marine.penguins]")))
    assert brief(folder) == [("marine:5", "marine.penguins", "`marine.penguins` reads itself")]


def test_two_cycles_are_both_reported(folder: Folder) -> None:
    folder.write(
        "marine",
        team("marine", datasets(a="reads: [b]", b="reads: [a]", c="reads: [d, a]", d="reads: [c]")),
    )
    wait = "these datasets wait for each other:"
    assert brief(folder) == [
        ("marine:5", "b", f"{wait} marine.a → marine.b → marine.a"),
        ("marine:6", "a", f"{wait} marine.a → marine.b → marine.a"),
        ("marine:7", "d", f"{wait} marine.c → marine.d → marine.c"),
        ("marine:8", "c", f"{wait} marine.c → marine.d → marine.c"),
    ]


def test_names_clash_within_a_team_only(folder: Folder) -> None:
    dags = (
        "dags:\n  penguins: {schedule: none}\n  mass: {schedule: none}\n  other: {schedule: none}\n"
    )
    folder.write(
        "marine",
        team("marine", datasets(penguins="reads: []", mass="reads: []"), model("mass", "penguins"), dags),
    )  # fmt: skip
    folder.write("fishery", team("fishery", datasets(penguins="reads: []")))
    taken = "the name `{0}` is taken: the team has a dataset `{0}`"
    assert brief(folder) == [
        ("marine:8", "mass", taken.format("mass")),
        ("marine:15", "penguins", taken.format("penguins")),
        ("marine:16", "mass", taken.format("mass")),
    ]
    assert list(read_all(folder.configs, None).teams) == ["fishery"]


def test_model_needs_the_columns_that_its_dataset_declares(folder: Folder) -> None:
    columns = "columns: {bodymass: DOUBLE, island: VARCHAR, year: INTEGER}"
    folder.write("marine", team("marine", datasets(penguins=f"{columns}, share_with: '*'")))
    extra = "    features: [island, isle]\n    split: {method: time, column: day}\n"
    folder.write("ecology", team("ecology", model("species", "marine.penguins", extra)))
    has, declared = "`marine.penguins` has no column", "by the `columns` that it declares"
    columns = "it has bodymass, island, year"
    assert shown(folder) == [
        ("ecology:8", "mass", f"{has} `mass`, {declared}", "did you mean `bodymass`?"),
        ("ecology:11", "isle", f"{has} `isle`, {declared}", "did you mean `island`?"),
        ("ecology:12", "day", f"{has} `day`, {declared}", columns),
    ]
    hashed = "    split: {method: hash, key: [iland, year]}\n"
    folder.write("ecology", team("ecology", model("species", "marine.penguins", hashed)))
    assert ("ecology:11", "iland", f"{has} `iland`, {declared}", "did you mean `island`?") in shown(
        folder
    )
    transformed = extra + "    transforms: [{type: sql, query: select 1}]\n"
    folder.write("ecology", team("ecology", model("species", "marine.penguins", transformed)))
    assert shown(folder) == []


def test_keys_and_checks_name_declared_columns(folder: Folder) -> None:
    folder.write(
        "marine",
        team(
            "marine",
            datasets(
                penguins="columns: {id: BIGINT, mass: DOUBLE},\n"
                "    write: {mode: merge, keys: [id, idd]},\n"
                "    checks: [{check: not_null, columns: [mas]}, {check: between, column: mass, min: 1},\n"
                "      {check: matches, column: name, pattern: x}, {check: row_count, min: 1}]",
                gulls="checks: [{check: not_null, columns: [anything]}]",
            ),
        ),
    )
    message = "`penguins` has no column `{}`, by the `columns` that it declares"
    assert brief(folder) == [
        ("marine:6", "idd", message.format("idd")),
        ("marine:7", "mas", message.format("mas")),
        ("marine:8", "name", message.format("name")),
    ]


def test_broken_producer_takes_nothing_from_its_consumers(folder: Folder) -> None:
    folder.write("marine", "version: 1\nteam: marine\nowner: [\n")
    folder.write("ecology", team("ecology", model("species", "marine.penguins")))
    folder.write("fishery", team("fishery", datasets(catches="share_with: [marine]")))
    project = read_all(folder.configs, "dev")
    assert list(project.teams) == ["ecology", "fishery"]
    assert {problem.file.name for problem in project.problems} == {"marine.yaml"}


def test_team_with_a_broken_link_takes_nothing_from_its_consumers(folder: Folder) -> None:
    folder.write("marine", team("marine", datasets(penguins="reads: [nobody.x], share_with: '*'")))
    folder.write("ecology", team("ecology", model("species", "marine.penguins")))
    assert list(read_all(folder.configs, "dev").teams) == ["ecology"]


def test_broken_platform_file_stops_everything_and_says_so(folder: Folder) -> None:
    folder.write("_defaults", "storage: [")
    folder.write("marine", team("marine", datasets(penguins="reads: []")))
    project = read_all(folder.configs, "dev")
    assert project.teams == {}
    assert [problem.file.name for problem in project.problems] == ["_defaults.yaml"]


def test_problem_in_shared_defaults_is_reported_once(folder: Folder) -> None:
    folder.write("_defaults", "datasets: {shedule: x}\n")
    for name in ("marine", "ecology"):
        folder.write(name, team(name, datasets(a="reads: []")))
    assert shown(folder) == [
        ("_defaults:1", "shedule", "unknown key `shedule`", "did you mean `schedule`?")
    ]


def test_missing_folder_is_a_problem(tmp_path: Path) -> None:
    (problem,) = read_all(tmp_path / "nowhere", "dev").problems
    assert "the folder with the team files cannot be read" in problem.message
    assert check_project(tmp_path / "nowhere") == [problem]


def test_one_team_is_read_whatever_the_others_are_like(folder: Folder) -> None:
    folder.write("_defaults", "storage: here\n")
    folder.write("marine", team("marine", datasets(penguins="reads: [nobody.knows]")))
    folder.write("ecology", "[")
    read = read_one(folder.configs, "marine", "dev")
    assert read is not None
    platform, file = read
    assert (platform.storage, file.name) == ("here", "marine")
    assert read_one(folder.configs, "fishery", "dev") is None
    with pytest.raises(ReadFailed, match=r"ecology\.yaml:1:1: F002 a value is expected"):
        read_one(folder.configs, "ecology", "dev")


def test_one_team_is_read_from_two_files(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("marine", "ecology", "fishery"):
        folder.write(name, team(name, datasets(a="reads: []")))
    opened: list[str] = []
    original = Path.open

    def recording(path: Path, *args: object, **options: object) -> object:
        opened.append(path.name)
        return original(path, *args, **options)

    monkeypatch.setattr(Path, "open", recording)
    monkeypatch.setattr(Path, "iterdir", None)
    read_one(folder.configs, "marine", "dev")
    assert opened == ["_defaults.yaml", "marine.yaml"]


def test_links_are_checked_in_every_environment(folder: Folder) -> None:
    overlay = "environments: {prod: {datasets: {b: {reads: [nobody.x]}}}}\n"
    folder.write("marine", team("marine", datasets(a="reads: []", b="reads: [a]"), overlay))
    assert read_all(folder.configs, "dev").problems == ()
    assert [problem.message for problem in check_project(folder.configs)] == [
        "there is no team `nobody` (environment prod)"
    ]


def test_shipped_project_has_no_problems() -> None:
    assert check_project(Path(__file__).parents[2] / "configs") == []


@pytest.mark.slow
def test_the_second_round_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(Path(__file__).parents[2] / "configs", configs)
    answers.forget()
    assert check_project(configs) == []
    answers.forget()
    monkeypatch.setattr(answers, "_Process", None)
    assert check_project(configs) == []


REMOTE = """\
    backend:
      type: sagemaker
      role: arn:aws:iam::123456789012:role/training
      image: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/training:1
      instance_type: ml.m5.large
      max_runtime: 2h
      max_cost: {limit}
"""


def test_sweep_that_may_cost_more_than_its_limit_is_refused_with_the_figures(
    folder: Folder,
) -> None:
    sea = datasets(a="share_with: '*'") + model("weight", "a", REMOTE.format(limit=0.2))
    folder.write("sea", team("sea", sea))
    folder.write("_defaults", "version: 1\npython_packages: [sklearn]\n")
    assert shown(folder) == [
        (
            "sea:19",
            "0.2",
            "`max_cost` needs the price of ml.m5.large",
            "write `prices: {ml.m5.large: <USD an hour>}` into configs/_defaults.yaml",
        )
    ]
    priced = "version: 1\npython_packages: [sklearn]\nprices: {ml.m5.large: 0.115}\n"
    folder.write("_defaults", priced)
    assert shown(folder) == [
        (
            "sea:19",
            "0.2",
            (
                "1 trial of up to 2 h at 0.115 USD an hour may cost 0.23 USD, "
                "more than `max_cost` (0.20 USD)"
            ),
            "raise it, shorten `max_runtime`, or try fewer sets",
        )
    ]
    folder.write("sea", team("sea", sea.replace("0.2\n", "0.3\n")))
    assert shown(folder) == []
