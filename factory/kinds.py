"""The one register of kinds: every name that a team file may choose, and the class behind it.

A kind is what a team file names by `type:`, `check:`, `strategy:` or by a metric's name. It is one
class in one file: its fields are what a team may write, its methods are what is done. Built-in kinds
stand in the tables below; others come from installed packages, by entry points of the group
`ml_dag_factory.<family>`, and only from packages that `plugins` in `_defaults.yaml` allows.

A field of a section takes any kind of a family by `Annotated[TheirBase, KindOf(FAMILY)]`: validation,
the problems' words and the JSON schema then come from this register.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from factory.base.section import Surroundings, build_sections

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "ml_dag_factory"
"""What the groups of entry points start with, before the family's name."""


@dataclass(frozen=True, eq=False)
class Family:
    """Kinds that can stand in for each other."""

    name: str
    """The word for one of them, such as `source`; its spaces are underscores in entry points."""
    base: str
    """`module:Class` that every kind of the family is, or is a subclass of."""
    builtin: Mapping[str, str]
    """Name to `module:object` of each built-in kind."""
    key: str | None = None
    """The key by which a section says its kind; None where kinds are named otherwise."""

    @property
    def group(self) -> str:
        """The group of entry points that adds kinds."""
        return f"{ENTRY_POINTS}.{self.name.replace(' ', '_')}"


@dataclass(frozen=True)
class Kind:
    """One entry of the register."""

    family: Family
    name: str
    target: Any
    """The class, or for families of values, such as metrics, the value."""
    package: str
    """The package that it comes from."""

    @property
    def summary(self) -> str:
        """The first line of its documentation; a value may have a `summary` of its own."""
        if not isinstance(self.target, type) and hasattr(self.target, "summary"):
            return str(self.target.summary)
        return (getattr(self.target, "__doc__", None) or "").strip().split("\n")[0]


@dataclass(frozen=True)
class PluginProblem:
    """Why a plug-in, or one kind of it, is not there."""

    plugin: str
    message: str
    suggestion: str | None = None


SOURCE = Family(
    "source",
    key="type",
    base="factory.data.sources.source:Source",
    builtin={
        "csv": "factory.data.sources.csv:CsvSource",
        "parquet": "factory.data.sources.parquet:ParquetSource",
        "json": "factory.data.sources.json:JsonSource",
        "excel": "factory.data.sources.excel:ExcelSource",
        "fixed_width": "factory.data.sources.fixed_width:FixedWidthSource",
        "sql": "factory.data.sources.sql:SqlSource",
        "http": "factory.data.sources.http:HttpSource",
        "images": "factory.data.sources.images:ImagesSource",
        "documents": "factory.data.sources.documents:DocumentsSource",
        "dataset": "factory.data.sources.dataset:DatasetSource",
        "python": "factory.data.sources.python:PythonSource",
    },
)

TRANSFORM = Family(
    "transform",
    key="type",
    base="factory.data.transforms.transform:Transform",
    builtin={
        "sql": "factory.data.transforms.sql:SqlTransform",
        "python": "factory.data.transforms.python:PythonTransform",
        "images": "factory.data.transforms.images:ImagesTransform",
        "chunk": "factory.data.transforms.chunk:ChunkTransform",
        "embed": "factory.data.transforms.embed:EmbedTransform",
    },
)

EMBEDDER = Family(
    "embedder",
    key="type",
    base="factory.data.embedders.embedder:Embedder",
    builtin={
        "sklearn": "factory.data.embedders.scikit_learn:ScikitLearnEmbedder",
        "onnx": "factory.data.embedders.onnx:OnnxEmbedder",
        "openai": "factory.data.embedders.openai:OpenAiEmbedder",
    },
)

CHECK = Family(
    "check",
    key="check",
    base="factory.data.checks.check:Check",
    builtin={
        "not_null": "factory.data.checks.not_null:NotNull",
        "unique": "factory.data.checks.unique:Unique",
        "accepted_values": "factory.data.checks.accepted_values:AcceptedValues",
        "between": "factory.data.checks.between:Between",
        "matches": "factory.data.checks.matches:Matches",
        "row_count": "factory.data.checks.row_count:RowCount",
        "not_null_proportion": "factory.data.checks.not_null_proportion:NotNullProportion",
        "mean_between": "factory.data.checks.mean_between:MeanBetween",
        "quantile_between": "factory.data.checks.quantile_between:QuantileBetween",
        "distinct_count": "factory.data.checks.distinct_count:DistinctCount",
        "no_duplicates": "factory.data.checks.no_duplicates:NoDuplicates",
        "column_pair": "factory.data.checks.column_pair:ColumnPair",
        "freshness": "factory.data.checks.freshness:Freshness",
        "expression": "factory.data.checks.expression:Expression",
        "relationships": "factory.data.checks.relationships:Relationships",
        "changed_rows": "factory.data.checks.changed_rows:ChangedRows",
        "custom_sql": "factory.data.checks.custom_sql:CustomSql",
        "readable": "factory.data.checks.readable:Readable",
        "min_size": "factory.data.checks.min_size:MinSize",
        "min_length": "factory.data.checks.min_length:MinLength",
        "language": "factory.data.checks.language:Language",
        "near_duplicates": "factory.data.checks.near_duplicates:NearDuplicates",
        "pii": "factory.data.checks.pii:Pii",
        "label_count": "factory.data.checks.label_count:LabelCount",
        "duplicate": "factory.data.checks.duplicate:Duplicate",
    },
)

METRIC = Family(
    "metric",
    base="factory.training.metrics:Metric",
    builtin={
        "accuracy": "factory.training.scikit_learn_metrics:ACCURACY",
        "adjusted_mutual_info": "factory.training.unsupervised_metrics:ADJUSTED_MUTUAL_INFO",
        "adjusted_rand": "factory.training.unsupervised_metrics:ADJUSTED_RAND",
        "anomaly_share": "factory.training.unsupervised_metrics:ANOMALY_SHARE",
        "average_precision": "factory.training.scikit_learn_metrics:AVERAGE_PRECISION",
        "average_precision_macro": "factory.training.scikit_learn_metrics:AVERAGE_PRECISION_MACRO",
        "average_precision_micro": "factory.training.scikit_learn_metrics:AVERAGE_PRECISION_MICRO",
        "average_precision_samples": "factory.training.several_targets.metrics:AVERAGE_PRECISION_SAMPLES",
        "average_precision_weighted": "factory.training.scikit_learn_metrics:AVERAGE_PRECISION_WEIGHTED",
        "balanced_accuracy": "factory.training.scikit_learn_metrics:BALANCED_ACCURACY",
        "brier_score_loss": "factory.training.scikit_learn_metrics:BRIER_SCORE_LOSS",
        "calibration_error": "factory.training.scikit_learn_metrics:CALIBRATION_ERROR",
        "calinski_harabasz": "factory.training.unsupervised_metrics:CALINSKI_HARABASZ",
        "cluster_count": "factory.training.unsupervised_metrics:CLUSTER_COUNT",
        "cohen_kappa": "factory.training.scikit_learn_metrics:COHEN_KAPPA",
        "completeness": "factory.training.unsupervised_metrics:COMPLETENESS",
        "coverage_error": "factory.training.several_targets.metrics:COVERAGE_ERROR",
        "d2_brier_score": "factory.training.scikit_learn_metrics:D2_BRIER_SCORE",
        "d2_log_loss_score": "factory.training.scikit_learn_metrics:D2_LOG_LOSS_SCORE",
        "davies_bouldin": "factory.training.unsupervised_metrics:DAVIES_BOULDIN",
        "f1": "factory.training.scikit_learn_metrics:F1",
        "f1_macro": "factory.training.scikit_learn_metrics:F1_MACRO",
        "f1_micro": "factory.training.scikit_learn_metrics:F1_MICRO",
        "f1_samples": "factory.training.several_targets.metrics:F1_SAMPLES",
        "f1_weighted": "factory.training.scikit_learn_metrics:F1_WEIGHTED",
        "fbeta": "factory.training.scikit_learn_metrics:FBETA",
        "fbeta_macro": "factory.training.scikit_learn_metrics:FBETA_MACRO",
        "fbeta_micro": "factory.training.scikit_learn_metrics:FBETA_MICRO",
        "fbeta_weighted": "factory.training.scikit_learn_metrics:FBETA_WEIGHTED",
        "fowlkes_mallows": "factory.training.unsupervised_metrics:FOWLKES_MALLOWS",
        "hamming_loss": "factory.training.scikit_learn_metrics:HAMMING_LOSS",
        "homogeneity": "factory.training.unsupervised_metrics:HOMOGENEITY",
        "jaccard": "factory.training.scikit_learn_metrics:JACCARD",
        "jaccard_macro": "factory.training.scikit_learn_metrics:JACCARD_MACRO",
        "jaccard_micro": "factory.training.scikit_learn_metrics:JACCARD_MICRO",
        "jaccard_samples": "factory.training.several_targets.metrics:JACCARD_SAMPLES",
        "jaccard_weighted": "factory.training.scikit_learn_metrics:JACCARD_WEIGHTED",
        "label_ranking_average_precision": "factory.training.several_targets.metrics:LABEL_RANKING_AVERAGE_PRECISION",
        "label_ranking_loss": "factory.training.several_targets.metrics:LABEL_RANKING_LOSS",
        "log_loss": "factory.training.scikit_learn_metrics:LOG_LOSS",
        "mase": "factory.training.forecasting.metrics:MASE",
        "mass_volume": "factory.training.unsupervised_metrics:MASS_VOLUME",
        "matthews_corrcoef": "factory.training.scikit_learn_metrics:MATTHEWS_CORRCOEF",
        "mean_average_precision": "factory.training.ranking_metrics:MEAN_AVERAGE_PRECISION",
        "mean_reciprocal_rank": "factory.training.ranking_metrics:MEAN_RECIPROCAL_RANK",
        "mutual_info": "factory.training.unsupervised_metrics:MUTUAL_INFO",
        "ndcg": "factory.training.ranking_metrics:NDCG",
        "ndcg_at_10": "factory.training.ranking_metrics:NDCG_AT_10",
        "negative_likelihood_ratio": "factory.training.scikit_learn_metrics:NEGATIVE_LIKELIHOOD_RATIO",
        "normalized_mutual_info": "factory.training.unsupervised_metrics:NORMALIZED_MUTUAL_INFO",
        "positive_likelihood_ratio": "factory.training.scikit_learn_metrics:POSITIVE_LIKELIHOOD_RATIO",
        "precision": "factory.training.scikit_learn_metrics:PRECISION",
        "precision_at_recall": "factory.training.scikit_learn_metrics:PRECISION_AT_RECALL",
        "precision_macro": "factory.training.scikit_learn_metrics:PRECISION_MACRO",
        "precision_micro": "factory.training.scikit_learn_metrics:PRECISION_MICRO",
        "precision_samples": "factory.training.several_targets.metrics:PRECISION_SAMPLES",
        "precision_weighted": "factory.training.scikit_learn_metrics:PRECISION_WEIGHTED",
        "rand": "factory.training.unsupervised_metrics:RAND",
        "recall": "factory.training.scikit_learn_metrics:RECALL",
        "recall_at_precision": "factory.training.scikit_learn_metrics:RECALL_AT_PRECISION",
        "recall_macro": "factory.training.scikit_learn_metrics:RECALL_MACRO",
        "recall_micro": "factory.training.scikit_learn_metrics:RECALL_MICRO",
        "recall_samples": "factory.training.several_targets.metrics:RECALL_SAMPLES",
        "recall_weighted": "factory.training.scikit_learn_metrics:RECALL_WEIGHTED",
        "roc_auc": "factory.training.scikit_learn_metrics:ROC_AUC",
        "roc_auc_ovo": "factory.training.scikit_learn_metrics:ROC_AUC_OVO",
        "roc_auc_ovo_weighted": "factory.training.scikit_learn_metrics:ROC_AUC_OVO_WEIGHTED",
        "roc_auc_ovr": "factory.training.scikit_learn_metrics:ROC_AUC_OVR",
        "roc_auc_ovr_weighted": "factory.training.scikit_learn_metrics:ROC_AUC_OVR_WEIGHTED",
        "silhouette": "factory.training.unsupervised_metrics:SILHOUETTE",
        "smape": "factory.training.forecasting.metrics:SMAPE",
        "top_k_accuracy": "factory.training.scikit_learn_metrics:TOP_K_ACCURACY",
        "v_measure": "factory.training.unsupervised_metrics:V_MEASURE",
        "wape": "factory.training.forecasting.metrics:WAPE",
        "zero_one_loss": "factory.training.scikit_learn_metrics:ZERO_ONE_LOSS",
        "d2_absolute_error_score": "factory.training.scikit_learn_metrics:D2_ABSOLUTE_ERROR_SCORE",
        "d2_pinball_score": "factory.training.scikit_learn_metrics:D2_PINBALL_SCORE",
        "d2_tweedie_score": "factory.training.scikit_learn_metrics:D2_TWEEDIE_SCORE",
        "explained_variance": "factory.training.scikit_learn_metrics:EXPLAINED_VARIANCE",
        "max_error": "factory.training.scikit_learn_metrics:MAX_ERROR",
        "mean_absolute_error": "factory.training.scikit_learn_metrics:MEAN_ABSOLUTE_ERROR",
        "mean_absolute_percentage_error": "factory.training.scikit_learn_metrics:MEAN_ABSOLUTE_PERCENTAGE_ERROR",
        "mean_gamma_deviance": "factory.training.scikit_learn_metrics:MEAN_GAMMA_DEVIANCE",
        "mean_pinball_loss": "factory.training.scikit_learn_metrics:MEAN_PINBALL_LOSS",
        "mean_poisson_deviance": "factory.training.scikit_learn_metrics:MEAN_POISSON_DEVIANCE",
        "mean_squared_error": "factory.training.scikit_learn_metrics:MEAN_SQUARED_ERROR",
        "mean_squared_log_error": "factory.training.scikit_learn_metrics:MEAN_SQUARED_LOG_ERROR",
        "mean_tweedie_deviance": "factory.training.scikit_learn_metrics:MEAN_TWEEDIE_DEVIANCE",
        "median_absolute_error": "factory.training.scikit_learn_metrics:MEDIAN_ABSOLUTE_ERROR",
        "r2": "factory.training.scikit_learn_metrics:R2",
        "root_mean_squared_error": "factory.training.scikit_learn_metrics:ROOT_MEAN_SQUARED_ERROR",
        "root_mean_squared_log_error": "factory.training.scikit_learn_metrics:ROOT_MEAN_SQUARED_LOG_ERROR",
    },
)

SEARCH_STRATEGY = Family(
    "search strategy",
    key="strategy",
    base="factory.training.search.strategy:SearchStrategy",
    builtin={
        "grid": "factory.training.search.grid:GridSearch",
        "random": "factory.training.search.random:RandomSearch",
        "list": "factory.training.search.list:ListSearch",
        "tpe": "factory.training.search.tpe:TpeSearch",
        "halving": "factory.training.search.halving:HalvingSearch",
    },
)

TRAINER = Family(
    "trainer",
    base="factory.trainers.trainer:Trainer",
    builtin={
        "fastai": "factory.trainers.fastai.trainer:FastaiTrainer",
        "scikit_learn": "factory.trainers.scikit_learn.trainer:ScikitLearnTrainer",
    },
)

NOTIFIER = Family(
    "notifier",
    key="type",
    base="factory.notifiers.notifier:Notifier",
    builtin={
        "log": "factory.notifiers.log:LogNotifier",
        "smtp": "factory.notifiers.smtp:SmtpNotifier",
        "slack": "factory.notifiers.slack:SlackNotifier",
        "slack_webhook": "factory.notifiers.slack_webhook:SlackWebhookNotifier",
        "webhook": "factory.notifiers.webhook:WebhookNotifier",
        "apprise": "factory.notifiers.apprise:AppriseNotifier",
        "notifier": "factory.notifiers.named:NamedNotifier",
    },
)

BACKEND = Family(
    "backend",
    key="type",
    base="factory.training.backends.backend:Backend",
    builtin={
        "local-process": "factory.training.backends.local_process:LocalProcess",
        "sagemaker": "factory.training.backends.sagemaker:SageMaker",
    },
)

DEPLOY_TARGET = Family(
    "deploy target",
    key="type",
    base="factory.deploy.targets.target:Target",
    builtin={
        "process": "factory.deploy.targets.process:ProcessTarget",
        "container": "factory.deploy.targets.container:ContainerTarget",
        "kubernetes": "factory.deploy.targets.kubernetes:KubernetesTarget",
        "sagemaker": "factory.deploy.targets.sagemaker:SageMakerTarget",
    },
)

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        SOURCE,
        TRANSFORM,
        EMBEDDER,
        CHECK,
        METRIC,
        SEARCH_STRATEGY,
        TRAINER,
        BACKEND,
        DEPLOY_TARGET,
        NOTIFIER,
    )
}
"""Every family by its name."""


def builtin(family: Family) -> tuple[Kind, ...]:
    """The built-in kinds of a family, in the order of its table."""
    return tuple(
        Kind(family, name, _load(path), "factory") for name, path in family.builtin.items()
    )


def kinds(family: Family, plugins: Sequence[str] = ()) -> tuple[Kind, ...]:
    """The kinds of a family: the built-in ones, then those of plug-ins that can be loaded.

    Args:
        family: The family.
        plugins: Packages that are allowed to add kinds.
    """
    return (*builtin(family), *_added(family, tuple(plugins))[0])


def prepare() -> None:
    """Load every built-in kind, see what is installed, and build the sections that are loaded.

    For processes that others are forked from.
    """
    for family in FAMILIES.values():
        _entry_points(family)
        builtin(family)
        if family.key is not None:
            _validator(family, ())
    build_sections()


def find(family: Family, name: str) -> Any:
    """The class or value behind a name, wherever it comes from.

    For what was validated before: a task that reads its document back. No list of allowed plug-ins
    is asked; the one entry point of that name is loaded, and no other.

    Raises:
        LookupError: No installed package has such a kind.
    """
    if name in family.builtin:
        return _load(family.builtin[name])
    for point in _entry_points(family):
        if point.name == name:
            return point.load()
    raise LookupError(f"there is no {family.name} {name!r}: is its plug-in installed here?")


def package_of(family: Family, name: str) -> str | None:
    """The installed package that adds a kind of this name; nothing is loaded to find out."""
    points = (point for point in _entry_points(family) if point.name == name)
    return next(map(_package, points), None)


def plugin_problems(plugins: Sequence[str]) -> Iterator[tuple[int, PluginProblem]]:
    """What is wrong with the named plug-ins, each with its place in the list.

    A plug-in that cannot be loaded takes away its own kinds and nothing else.
    """
    for index, plugin in enumerate(plugins):
        points = [point for family in FAMILIES.values() for point in _entry_points(family)]
        if not any(_package(point) == plugin for point in points):
            known = ", ".join(sorted({_package(point) for point in points})) or "none"
            yield (
                index,
                PluginProblem(
                    plugin,
                    f"no installed package `{plugin}` adds kinds (installed: {known})",
                    f"install it beside ml-dag-factory, or take it away; a plug-in has entry points "
                    f"of a group such as {ENTRY_POINTS}.source",
                ),
            )
        for family in FAMILIES.values():
            yield from ((index, problem) for problem in _added(family, (plugin,))[1])


@dataclass(frozen=True)
class KindOf:
    """Lets a field of a section hold any kind of a family."""

    family: Family

    def __get_pydantic_core_schema__(self, _source: Any, _: GetCoreSchemaHandler) -> CoreSchema:
        """Validation asks the register at the time, since plug-ins differ from project to project."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """One of the family's kinds; plug-ins as `SCHEMA_PLUGINS` says."""
        return handler(TypeAdapter(self.union(_schema_plugins)).core_schema)

    def union(self, plugins: Sequence[str] = ()) -> Any:
        """The kinds as a union that pydantic tells apart by the family's key."""
        return _union(self.family, tuple(plugins))

    def _validate(self, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, _load(self.family.base)):
            return value
        if isinstance(info.context, Surroundings):
            plugins = info.context.plugins
        else:
            plugins = self._plugins_for(value)
        # A ValidationError that a validator raises becomes part of the outer one.
        return _validator(self.family, tuple(plugins)).validate_python(value, context=info.context)

    def _plugins_for(self, value: Any) -> tuple[str, ...]:
        """The plug-in that a section needs which comes back from a document, if it needs one."""
        name = value.get(self.family.key) if isinstance(value, dict) else None
        if not isinstance(name, str) or name in self.family.builtin:
            return ()
        return tuple(_package(point) for point in _entry_points(self.family) if point.name == name)


_schema_plugins: tuple[str, ...] = ()


def json_schema(model: Any, plugins: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON schema of a section, with the kinds of the named plug-ins in every family."""
    global _schema_plugins  # noqa: PLW0603 - pydantic hands no context to schema generators
    _schema_plugins = tuple(plugins)
    for family in FAMILIES.values():
        kinds(family, _schema_plugins)
    build_sections()  # pydantic before 2.13 writes no default whose section is not built
    try:
        return TypeAdapter(model).json_schema()
    finally:
        _schema_plugins = ()


@cache
def _union(family: Family, plugins: tuple[str, ...]) -> Any:
    classes = tuple(kind.target for kind in kinds(family, plugins))
    if len(classes) == 1:
        return classes[0]
    return Annotated[Union[classes], Field(discriminator=family.key)]  # noqa: UP007 - made at run time


@cache
def _validator(family: Family, plugins: tuple[str, ...]) -> SchemaValidator:
    """What pydantic makes of `_union`, except that a kind is loaded when a section first names it."""
    paths = {**family.builtin, **{kind.name: kind.target for kind in _added(family, plugins)[0]}}
    choices = {name: _choice(target) for name, target in paths.items()}
    return SchemaValidator(core_schema.tagged_union_schema(choices, str(family.key)))


def _choice(target: Any) -> CoreSchema:
    def validate(value: Any, info: ValidationInfo) -> Any:
        section = _load(target) if isinstance(target, str) else target
        return section.model_validate(value, context=info.context)

    return core_schema.with_info_plain_validator_function(validate)


@cache
def _added(
    family: Family, plugins: tuple[str, ...]
) -> tuple[tuple[Kind, ...], tuple[PluginProblem, ...]]:
    """The kinds that plug-ins add to a family, and why others are missing."""
    found: list[Kind] = []
    problems: list[PluginProblem] = []
    taken = set(family.builtin)
    for point in _entry_points(family) if plugins else ():
        package = _package(point)
        if package not in plugins:
            continue
        if point.name in taken:
            message = f"plug-in `{package}`: there is a {family.name} `{point.name}` already"
            problems.append(PluginProblem(package, message, "give it another name"))
            continue
        try:
            target = point.load()
            _check(family, point, target)
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises, the rest goes on
            message = f"plug-in `{package}`: its {family.name} `{point.name}` cannot be loaded: "
            problems.append(
                PluginProblem(
                    package,
                    f"{message}{type(error).__name__}: {error}",
                    f"mend or update the package, or take `{package}` out of `plugins`",
                )
            )
            continue
        taken.add(point.name)
        found.append(Kind(family, point.name, target, package))
    return tuple(found), tuple(problems)


def _check(family: Family, point: "EntryPoint", target: Any) -> None:
    base = _load(family.base)
    fits = issubclass(target, base) if isinstance(target, type) else isinstance(target, base)
    if not fits:
        raise TypeError(f"{point.value} is no {base.__module__}.{base.__name__}")
    name = getattr(target, "name", point.name)
    if not isinstance(target, type) and name != point.name:
        raise TypeError(f"{point.value} calls itself {name!r}: its entry point must do so too")
    if isinstance(target, type) and family.key is not None:
        said = target.model_fields[family.key].annotation  # type: ignore[attr-defined]
        if point.name not in getattr(said, "__args__", ()):
            raise TypeError(f'{point.value}: write `{family.key}: Literal["{point.name}"]` in it')
    if missing := sorted(getattr(target, "__abstractmethods__", ())):
        raise TypeError(f"{point.value} lacks what every {family.name} has: {', '.join(missing)}")


def _package(point: "EntryPoint") -> str:
    return point.module.partition(".")[0]


@cache
def _entry_points(family: Family) -> "tuple[EntryPoint, ...]":
    return tuple(sorted(_all_entry_points().select(group=family.group)))


@cache
def _all_entry_points() -> Any:
    """Read once: a look at every installed package takes 25 ms."""
    from importlib.metadata import entry_points

    return entry_points()


@cache
def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
