"""`for_each` and `extends`: what is written once for several datasets and models."""

from pathlib import Path

import pytest

from factory.catalog.checking import check_project
from factory.documents.compile import compile_team
from factory.documents.installation import Installation
from factory.team.bases import base_paths
from factory.team.checking import check_team
from factory.team.for_each import MOST
from factory.team.reader import TeamFile
from factory.team.yaml_tree import MAX_NODES
from tests.team.folder import Folder

START = """\
version: 1
team: shop
owner: shop@example.org
"""
MODEL = """\
    task: regression
    target: amount
    search:
      strategy: grid
      candidates: [{estimator: sklearn.linear_model.Ridge, params: {alpha: [0.1, 1.0]}}]
    objective: {metric: r2}
"""
REGIONS = """\
datasets:
  ${region}_sales:
    for_each: {region: [north, south]}
    source: {type: csv, path: "data/${region}/*.csv", skip: 1}
models:
  ${region}_amount:
    for_each: {region: [north, south]}
    train_on: ${region}_sales
"""


def base(folder: Folder, name: str, text: str) -> None:
    path = folder.configs / "_bases" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def documents(file: TeamFile) -> dict[str, object]:
    installation = Installation.of(file.platform.config, file.platform.project)
    return dict(compile_team(file.team, installation))


# for_each


def test_entry_is_made_for_each_value(folder: Folder) -> None:
    folder.write("shop", START + REGIONS + MODEL)
    team = folder.read("shop").team
    assert list(team.datasets) == ["north_sales", "south_sales"]
    assert team.datasets["south_sales"].source.model_dump()["path"] == "data/south/*.csv"
    assert team.models["north_amount"].train_on.all == ("north_sales",)


def test_what_is_made_is_what_somebody_would_write_out(folder: Folder) -> None:
    folder.write("shop", START + REGIONS + MODEL)
    made = documents(folder.read("shop"))
    by_hand = "".join(
        line.replace("${region}", region) + "\n"
        for region in ("north", "south")
        for line in (REGIONS + MODEL).replace("datasets:\n", "").split("models:\n")[0].splitlines()
        if "for_each" not in line
    )
    models = "".join(
        line.replace("${region}", region) + "\n"
        for region in ("north", "south")
        for line in (REGIONS + MODEL).split("models:\n")[1].splitlines()
        if "for_each" not in line
    )
    folder.write("shop", f"{START}datasets:\n{by_hand}models:\n{models}")
    assert documents(folder.read("shop")) == made


def test_lists_by_name_are_combined(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    text = text.replace("{region: [north, south]}", "{region: [north, south], year: [2023, 2024]}")
    folder.write("shop", text.replace("${region}_sales", "${region}_${year}"))
    assert list(folder.read("shop").team.datasets) == [
        "north_2023",
        "north_2024",
        "south_2023",
        "south_2024",
    ]


def test_listed_mappings_make_one_each(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    values = "[{region: north, lines: 2}, {region: south, lines: 0}]"
    text = text.replace("{region: [north, south]}", values).replace("skip: 1", 'skip: "${lines}"')
    folder.write("shop", text)
    datasets = folder.read("shop").team.datasets
    assert [one.source.model_dump()["skip"] for one in datasets.values()] == [2, 0]


def test_value_that_stands_alone_may_be_a_list(folder: Folder) -> None:
    text = START + REGIONS + MODEL
    values = "[{region: north, alphas: [0.5, 2.0]}, {region: south, alphas: 1.0}]"
    head, tail = text.rsplit("{region: [north, south]}", 1)
    folder.write("shop", f"{head}{values}{tail}".replace("[0.1, 1.0]", '"${alphas}"'))
    models = folder.read("shop").team.models
    found = [one.search.candidates[0].params["alpha"] for one in models.values()]  # type: ignore[attr-defined]
    assert found == [[0.5, 2.0], 1.0]


def test_two_dollar_signs_are_the_text_itself(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    folder.write("shop", text.replace("*.csv", "$${region}.csv"))
    assert folder.read("shop").team.datasets["north_sales"].source.model_dump()["path"] == (
        "data/north/${region}.csv"
    )


def test_problem_is_shown_where_its_text_stands(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    folder.write("shop", text.replace("skip: 1", "skipp: 1"))
    assert folder.problems("shop") == ["shop.yaml:7:55: unknown key `skipp`"]


def test_wrong_value_is_shown_in_the_list_of_values(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    values = "[{region: north, lines: 2}, {region: south, lines: -1}]"
    text = text.replace("{region: [north, south]}", values).replace("skip: 1", 'skip: "${lines}"')
    folder.write("shop", text)
    assert folder.problems("shop") == [
        "shop.yaml:6:66: `skip` must be at least 0, found the number -1"
    ]


def test_mistake_in_sql_is_shown_at_its_word(folder: Folder) -> None:
    text = f"""{START}datasets:
  sales: {{source: {{type: csv, path: data/a.csv}}, columns: {{day: DATE}}}}
  ${{region}}_sales:
    for_each: {{region: [north_by_north_west, south]}}
    source: {{type: dataset, dataset: sales}}
    transforms: [{{type: sql, query: "select '${{region}}' as region, nothing from source"}}]
"""
    folder.write("shop", text)
    found = [problem for problem in check_project(folder.configs) if "nothing" in problem.message]
    column = text.splitlines()[8].index("nothing") + 1
    assert [(problem.line, problem.column) for problem in found] == [(9, column)]


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("{region: [north, south]}", "7", "6:15: `for_each` must be a mapping or a list"),
        ("{region: [north, south]}", "{}", "6:15: `for_each` is empty"),
        ("{region: [north, south]}", "[]", "6:15: `for_each` is empty"),
        ("[north, south]", "[]", "6:24: `region` must be a list with at least one value"),
        ("[north, south]", "north", "6:24: `region` must be a list with at least one value"),
        ("{region: [north, south]}", "[north]", "6:16: each item of `for_each` must be a mapping"),
        (
            "{region: [north, south]}",
            "[{region: a}, {regoin: b}]",
            "6:29: this has regoin, and the first has region",
        ),
        ("data/${region}", "data/${regio}", "7:31: `for_each` has no 'regio'"),
        ("${region}_sales", "sales", "5:3: several of these would be called `sales`"),
        (
            "[north, south]",
            "[[north], [south]]",
            "5:3: `region` is a list or a mapping, and cannot be part of a text",
        ),
        ("{region:", "{Region: [a], region:", "6:15: 'Region' is no name for a value"),
    ],
)
def test_mistake_in_for_each_is_named_at_its_place(
    folder: Folder, written: str, instead: str, message: str
) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    assert written in text
    folder.write("shop", text.replace(written, instead))
    assert f"shop.yaml:{message}" in folder.problems("shop")


def test_too_many_are_refused_before_they_are_made(folder: Folder) -> None:
    many = ", ".join(map(str, range(MOST)))
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    folder.write("shop", text.replace("[north, south]", f"[{many}], x: [1, 2]"))
    assert folder.problems("shop") == [
        f"shop.yaml:6:15: this makes {2 * MOST:,}, and the most are {MOST}"
    ]


def test_few_entries_of_many_values_do_not_fill_the_memory(folder: Folder) -> None:
    many = ", ".join(f"'{number}'" for number in range(400))
    values = "\n".join(f"      - '{number} ${{region}}'" for number in range(1000))
    text = START + REGIONS.split("models:", maxsplit=1)[0].replace("[north, south]", f"[{many}]")
    folder.write("shop", f"{text}    share_with:\n{values}\n")
    assert any(f"more than {MAX_NODES:,} values" in one for one in folder.problems("shop"))


def test_braces_within_braces_ask_for_quotes(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    folder.write("shop", text.replace('"data/${region}/*.csv"', "data/${region}/a.csv"))
    assert folder.problems("shop") == [
        "shop.yaml:7:31: the braces of `${…}` end what stands around them, within brackets or braces"
    ]


# extends


def test_base_lies_between_the_team_and_the_platform(folder: Folder) -> None:
    folder.write("_defaults", "models: {description: Of the platform., split: {seed: 3}}\n")
    base(
        folder, "ridge", MODEL.replace("    ", "", 1).replace("\n    ", "\n") + "description: A.\n"
    )
    text = (
        START + REGIONS.split("models:", maxsplit=1)[0] + "models:\n  amount:\n    extends: ridge\n"
    )
    folder.write("shop", f"{text}    train_on: north_sales\n    objective: {{metric: r2}}\n")
    model = folder.read("shop").team.models["amount"]
    assert (model.description, model.split.seed, model.objective.metric) == ("A.", 3, "r2")


def test_base_may_extend_another(folder: Folder) -> None:
    base(folder, "csv", "source: {type: csv, path: data/a.csv, skip: 2}\ndescription: A file.\n")
    base(folder, "german", "extends: csv\nsource: {decimal: ','}\n")
    folder.write("shop", f"{START}datasets:\n  sales: {{extends: german, description: Mine.}}\n")
    sales = folder.read("shop").team.datasets["sales"]
    source = sales.source.model_dump()
    assert (source["skip"], source["decimal"], sales.description) == (2, ",", "Mine.")


def test_base_differs_in_an_environment(folder: Folder) -> None:
    base(
        folder,
        "csv",
        "source: {type: csv, path: data/a.csv}\nenvironments: {prod: {description: Live.}}\n",
    )
    folder.write("shop", f"{START}datasets: {{sales: {{extends: csv}}}}\n")
    assert folder.read("shop", "prod").team.datasets["sales"].description == "Live."
    assert folder.read("shop", "dev").team.datasets["sales"].description == ""


def test_problem_of_a_base_is_shown_in_its_file(folder: Folder) -> None:
    base(folder, "csv", "source: {type: csv, path: data/a.csv}\nchekcs: []\n")
    folder.write("shop", f"{START}datasets: {{sales: {{extends: csv}}}}\n")
    assert folder.problems("shop") == ["csv.yaml:2:1: unknown key `chekcs`"]


def test_secret_in_a_base_is_found(folder: Folder) -> None:
    base(folder, "http", "source: {type: http, url: 'https://anna:hunter2@example.org/a.csv'}\n")
    folder.write("shop", f"{START}datasets: {{sales: {{extends: http}}}}\n")
    problems = folder.problems("shop")
    assert problems[0].startswith("http.yaml:1:27: ")
    assert "hunter2" not in str(problems)


def test_missing_base_is_all_that_is_said_of_what_extends_it(folder: Folder) -> None:
    base(folder, "csv", "source: {type: csv, path: data/a.csv}\n")
    folder.write("shop", f"{START}datasets: {{sales: {{extends: cvs}}}}\n")
    assert folder.problems("shop") == ["shop.yaml:4:29: there is no base 'cvs'"]


def test_base_is_a_name_and_no_path(folder: Folder) -> None:
    base(folder, "csv", "source: {type: csv, path: data/a.csv}\n")
    folder.write("shop", f"{START}datasets: {{sales: {{extends: ../_bases/csv}}}}\n")
    assert folder.problems("shop") == ["shop.yaml:4:29: there is no base '../_bases/csv'"]


def test_bases_that_extend_each_other_are_refused(folder: Folder) -> None:
    base(folder, "one", "extends: two\n")
    base(folder, "two", "extends: one\n")
    folder.write("shop", f"{START}datasets: {{sales: {{extends: one}}}}\n")
    assert folder.problems("shop") == ["shop.yaml:4:29: a base extends itself: one → two → one"]


def test_duplicate_key_of_a_base_takes_the_team_away(folder: Folder) -> None:
    base(folder, "csv", "source: {type: csv, path: data/a.csv}\nsource: {type: json}\n")
    folder.write("shop", f"{START}datasets: {{sales: {{extends: csv}}}}\n")
    assert folder.problems("shop") == [
        "csv.yaml:2:1: the key `source` appears twice: first at 1:1, again at 2:1"
    ]


def test_both_work_together(folder: Folder) -> None:
    base(folder, "csv", "source: {type: csv, skip: 1}\n")
    text = "{for_each: {a: [x, y]}, extends: csv, source: {path: 'data/${a}.csv'}}"
    folder.write("shop", f"{START}datasets:\n  s_${{a}}: {text}\n")
    sources = [one.source.model_dump() for one in folder.read("shop").team.datasets.values()]
    assert [(one["path"], one["skip"]) for one in sources] == [("data/x.csv", 1), ("data/y.csv", 1)]


def test_environment_that_only_a_base_names_is_checked(folder: Folder) -> None:
    base(
        folder,
        "csv",
        "source: {type: csv, path: data/a.csv}\nenvironments: {prod: {chekcs: []}}\n",
    )
    path: Path = folder.write("shop", f"{START}datasets: {{sales: {{extends: csv}}}}\n")
    assert [one.message for one in check_team(path)] == ["unknown key `chekcs` (environment prod)"]
    assert [one.name for one in base_paths(folder.configs)] == ["csv.yaml"]


def test_value_that_stands_twice_is_named_where_the_values_are(folder: Folder) -> None:
    text = START + REGIONS.split("models:", maxsplit=1)[0]
    folder.write("shop", text.replace("[north, south]", "[north, south, north]"))
    assert folder.problems("shop") == ["shop.yaml:6:15: `north_sales` would be made twice"]
