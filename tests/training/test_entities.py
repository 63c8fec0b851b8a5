"""`entities`: the section, names, entities of rows, and what the mapped group trains."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.base.errors import FactoryError, TerminalError
from factory.base.values import Result
from factory.base.workspace import WorkspaceGoneError
from factory.models.entity_names import entity_model, entity_name, is_model_of_entity
from factory.models.entity_texts import entity_texts
from factory.models.training_run import TrainingRun
from factory.training.entity_parts import EntityPart, EntityParts, Failure, outcome_of
from factory.training.entity_rows import SPLIT, split_entities
from factory.training.entity_training import batches
from factory.training.search.strategy import Trial
from factory.training.split import read_part
from tests.training.models import model, one_trial, regression

RIDGE = "sklearn.linear_model.Ridge"


def of_stores(**changes):
    section = {"target": "sold", "entities": {"column": "store", "min_rows": 20, **changes}}
    return regression(**section)


def stores(**rows: int) -> pa.Table:
    names = [name for name, count in rows.items() for _ in range(count)]
    price = [float(at % 7) for at in range(len(names))]
    sold = [3 * one + at % 3 for at, one in enumerate(price)]
    return pa.table({"store": names, "price": price, "sold": sold})


def test_configuration_hash_of_models_without_entities_stays_what_it_was():
    assert "entities" not in regression().as_trained()
    assert of_stores().config_hash != regression(target="sold").config_hash
    # How many rows are needed, and what answers for others, changes no model.
    assert of_stores().config_hash == of_stores(min_rows=500, max=7, fallback="none").config_hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entities": {"column": "sold"}}, "'sold' is the target"),
        (
            {"split": {"method": "time", "column": "store"}},
            "'store' is what `split` looks at",
        ),
        ({"features": ["store"]}, "'store' is the only feature"),
        (
            {"promotion": {"slices": {"columns": ["store"]}}},
            "'store' is no feature of entities' own models",
        ),
        (
            {
                "preprocessing": [
                    {"columns": ["store"], "steps": ["sklearn.preprocessing.OrdinalEncoder"]}
                ]
            },
            "'store' is no feature of entities' own models",
        ),
        (
            {
                "search": one_trial(
                    "sklearn.ensemble.HistGradientBoostingRegressor", categorical_features=["store"]
                )
            },
            "'store' is no feature of entities' own models",
        ),
        ({"deploy": {"type": "process"}}, "`deploy` and `entities` do not go together"),
        (
            {"monitor": {"drift": {"columns": ["store"]}}},
            "'store' is no feature of entities' own models",
        ),
        ({"entities": {"column": "store", "max": 1001}}, "less than or equal to 1000"),
        ({"entities": {"column": "store", "min_rows": 9}}, "greater than or equal to 10"),
        ({"predict": {"input": "sales", "keep": ["model"]}}, "the model that has answered"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    section = {"target": "sold", "entities": {"column": "store"}}
    with pytest.raises(ValidationError, match=message):
        regression(**(section | changes))


def test_model_of_images_has_no_entities():
    images = {
        "features": None,
        "search": {
            "strategy": "list",
            "trials": [
                {
                    "estimator": "fastai.vision.learner.vision_learner",
                    "params": {"arch": "resnet18"},
                }
            ],
        },
        "objective": {"metric": "accuracy"},
    }
    with pytest.raises(ValidationError, match="learns from images"):
        model(entities={"column": "store"}, **images)


def test_entitys_own_model_has_all_features_but_the_entity():
    section = regression(target="sold", features=["store", "price"], entities={"column": "store"})
    assert section.for_entity.features == ("price",)
    assert of_stores().for_entity.features is None
    assert regression().for_entity == regression()


def test_predictions_say_which_model_has_answered():
    section = regression(
        target="sold",
        entities={"column": "store"},
        predict={"input": "sales", "keep": ["id"]},
    )
    assert section.prediction_columns == (
        *("id", "prediction", "model_version", "input_version", "model"),
    )


def test_names_of_entities_are_unambiguous():
    assert entity_model("air.delay", "UA") == "air.delay.UA"
    strange = [
        entity_name(one) for one in ("a b", "a_b", "a/b", "a.b", "", "x" * 70, "x" * 71, "Zürich")
    ]
    assert strange[1] == "a_b"
    assert len(set(strange)) == len(strange)
    assert all(is_model_of_entity(f"air.delay.{one}", "air.delay") for one in strange)
    assert not is_model_of_entity("air.delays.UA", "air.delay")
    assert not is_model_of_entity("air.delay", "air.delay")


def test_training_run_of_an_entity_is_another_one_in_the_same_experiment():
    whole = TrainingRun(model="air.delay", dag_id="d", run_id="r", config_hash="c")
    own = TrainingRun(model="air.delay.UA", dag_id="d", run_id="r", config_hash="c", entity="UA")
    assert whole.experiment == own.experiment == "air.delay"
    assert whole.identity() != own.identity()
    assert own.tags()["entity"] == own.name == "UA"
    assert "entity" not in whole.tags()


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["a", None, "b"]), ["a", None, "b"]),
        (pa.array([1, 2, None]), ["1", "2", None]),
        (pa.array([1.0, 2.5, None, float("nan")]), ["1", "2.5", None, None]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
    ],
)
def test_entities_are_texts_whatever_the_columns_type_is(values, texts):
    assert entity_texts(values).to_pylist() == texts


def test_column_of_lists_has_no_entities():
    with pytest.raises(TerminalError, match="name a column of texts, numbers or dates"):
        entity_texts(pa.array([[1], [2]]))


def test_each_entity_has_rows_of_its_own_and_the_fallback_all(tmp_path):
    rows = stores(north=60, south=40, west=19)
    found = split_entities(rows, of_stores(), tmp_path, name="shop.sales")
    assert (found.own, found.few, found.few_rows, found.has_fallback) == (2, 1, 19, True)
    parts = EntityParts.of(tmp_path)
    assert [(one.label, one.model, one.rows) for one in parts.all] == [
        ("all rows", "shop.sales", 119),
        ("north", "shop.sales.north", 60),
        ("south", "shop.sales.south", 40),
    ]
    sizes = {}
    for part in parts.all:
        read = [read_part(part.folder(tmp_path), one)[0] for one in ("train", "validation", "test")]
        sizes[part.label] = sum(map(len, read))
        assert ("store" in read[0]) == (part.entity is None)
    assert sizes == {"all rows": 119, "north": 60, "south": 40}


def test_rows_without_an_entity_or_a_target_do_not_count(tmp_path):
    rows = stores(north=30, south=30)
    names = [None] * 5 + rows.column("store").to_pylist()[5:]
    sold = rows.column("sold").to_pylist()[:-15] + [None] * 15
    rows = pa.table({"store": names, "price": rows.column("price"), "sold": sold})
    found = split_entities(rows, of_stores(), tmp_path, name="shop.sales")
    assert (found.own, found.few, found.unknown_rows) == (1, 1, 5)
    assert [one.rows for one in EntityParts.of(tmp_path).all if one.entity] == [25]


def test_too_many_entities_are_told_with_the_largest(tmp_path):
    rows = stores(north=60, south=40, west=30)
    with pytest.raises(TerminalError) as failure:
        split_entities(rows, of_stores(max=2), tmp_path, name="shop.sales")
    assert str(failure.value).startswith(
        "entities: 3 of the 3 values of 'store' have 20 rows or more, and `max` is 2. The largest, with their "
        "rows: north (60), south (40), west (30)."
    )


def test_nothing_is_trained_on_all_rows_without_a_fallback(tmp_path):
    split_entities(stores(north=60), of_stores(fallback="none"), tmp_path, name="shop.sales")
    assert [one.label for one in EntityParts.of(tmp_path).all] == ["north"]
    with pytest.raises(TerminalError, match=r"the largest, with their rows: north \(60\)"):
        split_entities(
            stores(north=60), of_stores(fallback="none", min_rows=61), tmp_path, name="shop.sales"
        )


def test_missing_column_is_named(tmp_path):
    rows = stores(north=60).drop_columns(["store"])
    with pytest.raises(TerminalError, match=r"entities\.column"):
        split_entities(rows, of_stores(), tmp_path, name="shop.sales")


def test_entity_that_cannot_be_divided_does_not_sink_the_others(tmp_path):
    names = ["north"] * 40 + ["south"] * 40
    rows = pa.table(
        {
            "store": names,
            "price": [float(at % 7) for at in range(80)],
            "species": ["cod", "hake"] * 20 + ["cod"] * 40,
        }
    )
    section = model(entities={"column": "store", "min_rows": 20})
    found = split_entities(rows, section, tmp_path, name="shop.kind")
    assert found.failed == 1
    parts = EntityParts.of(tmp_path)
    assert [one.label for one in parts.having(SPLIT, tmp_path)] == ["all rows", "north"]
    ((part, failure),) = parts.failures(tmp_path)
    assert part.label == "south"
    assert "has only the class 'cod'" in failure.error


class Number(Result):
    """What some work comes to."""

    number: int


def parts_of(*names: str) -> EntityParts:
    return EntityParts(
        [EntityPart(entity=one, name=one, model=f"a.b.{one}", rows=1) for one in names]
    )


def test_work_that_fails_for_all_fails_the_run(tmp_path):
    def work(part):
        raise TerminalError(f"no {part.name}")

    with pytest.raises(TerminalError, match=r"all 2 models have failed\. x: no x, y: no y"):
        parts_of("x", "y").each("count", work, tmp_path)
    with pytest.raises(TerminalError, match="no entity has got so far"):
        parts_of().each("count", work, tmp_path)


def test_what_a_retry_can_mend_is_no_matter_of_one_entity(tmp_path):
    def work(part):
        raise FactoryError("the server does not answer")

    with pytest.raises(FactoryError, match="does not answer"):
        parts_of("x", "y").each("count", work, tmp_path)


def test_retry_replaces_what_an_earlier_try_has_left(tmp_path):
    parts, fails = parts_of("x", "y"), [True, False]

    def work(part):
        if part.name == "x" and fails.pop(0):
            raise ValueError("once")
        return Number(number=7)

    assert [one.name for one in parts.each("count", work, tmp_path)] == ["y"]
    assert [failure.error for _, failure in parts.failures(tmp_path)] == ["ValueError('once')"]
    assert [one.name for one in parts.each("count", work, tmp_path)] == ["x", "y"]
    assert not list(parts.failures(tmp_path))
    assert parts.all[0].read("count", Number, tmp_path).number == 7


def test_result_that_is_gone_says_what_to_do(tmp_path):
    with pytest.raises(WorkspaceGoneError, match="Clear the DAG run from `split` on"):
        EntityParts.of(tmp_path)


TRIALS = [Trial(index=at, name=f"Ridge alpha={at}", estimator=RIDGE, params={}) for at in range(3)]


def test_mapped_task_has_an_instance_for_each_entity_and_trial_while_airflow_maps_so_many():
    found = batches(parts_of("UA", "DL").all, TRIALS, size=1, most=6)
    assert [(one.name, one.models, one.trials) for one in found][:4] == [
        ("UA: Ridge alpha=0", ("UA",), (0,)),
        ("UA: Ridge alpha=1", ("UA",), (1,)),
        ("UA: Ridge alpha=2", ("UA",), (2,)),
        ("DL: Ridge alpha=0", ("DL",), (0,)),
    ]


def test_mapped_task_has_an_instance_for_each_entity_where_trials_are_too_many():
    found = batches(parts_of("UA", "DL").all, TRIALS, size=1, most=5)
    assert [(one.name, one.models, one.trials) for one in found] == [
        ("UA", ("UA",), (0, 1, 2)),
        ("DL", ("DL",), (0, 1, 2)),
    ]


def test_mapped_task_has_an_instance_for_some_entities_where_these_are_too_many():
    found = batches(parts_of("a", "b", "c", "d", "e").all, TRIALS, size=1, most=2)
    assert [(one.name, one.models) for one in found] == [
        ("a, b, c", ("a", "b", "c")),
        ("d, e", ("d", "e")),
    ]


@pytest.mark.parametrize("error", [OSError("No space left on device"), MemoryError()])
def test_what_a_retry_may_mend_is_no_failure_of_one_entity(error):
    def work():
        raise error

    with pytest.raises(type(error)):
        outcome_of("air.delay.UA", work)


def test_what_a_library_raises_is_a_failure_of_one_entity():
    def work():
        raise ZeroDivisionError("of its rows")

    assert outcome_of("air.delay.UA", work) == Failure(error="ZeroDivisionError('of its rows')")
