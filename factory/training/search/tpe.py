"""`strategy: tpe`."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken, rule
from factory.base.section import ListOf
from factory.training.search.candidate import Candidate, draw_values
from factory.training.search.distributions import DISTRIBUTIONS
from factory.training.search.strategy import MOST_WAVES, HyperparameterSet, ScoreOf, SearchStrategy

if TYPE_CHECKING:
    import optuna


class TpeSearch(SearchStrategy):
    """`trials` combinations in `waves`: the first at random, the others where those before were good.

    Where that is, Optuna's Tree-structured Parzen Estimator tells.
    """

    limited = ("`trials` asks for", "trials")

    strategy: Literal["tpe"]
    candidates: ListOf[Candidate] = Field(min_length=1)
    """Estimators, each with the values to choose from: lists, ranges and distributions, as for `random`."""
    trials: int = Field(ge=2)
    """How many combinations are tried."""
    waves: int = Field(default=4, ge=2, le=MOST_WAVES)
    """In how many parts: after each of them it looks at what came out. More learn more, and wait more often."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """The same seed tries the same combinations, where these come to the same scores."""

    @rule
    def _optuna_is_there(self) -> Broken:
        if find_spec("optuna") is None:
            yield PydanticCustomError(
                "not_installed",
                '`strategy: tpe` needs the extra `search`: pip install "ml-dag-factory[search]"',
                {"at": ("strategy",)},
            )

    @rule
    def _each_wave_has_trials(self) -> Broken:
        if self.trials < self.waves:
            yield PydanticCustomError(
                "waves",
                "{trials} trials make no {waves} waves",
                {
                    "trials": self.trials,
                    "waves": self.waves,
                    "at": ("trials",),
                    "advice": "raise `trials`, or write fewer `waves`",
                },
            )

    @property
    def tried(self) -> tuple[Candidate, ...]:
        """See `SearchStrategy.tried`."""
        return self.candidates

    @property
    def wave_count(self) -> int:
        """See `SearchStrategy.wave_count`."""
        return self.waves

    @property
    def most_trials(self) -> int:
        """See `SearchStrategy.most_trials`."""
        return self.trials

    def draw(self) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw`: those of the first wave."""
        yield from self.draw_wave(1, lambda _: None)

    def draw_wave(self, wave: int, score_of: ScoreOf) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw_wave`.

        The study is made anew each time, by asking and telling once more what was asked and told in the waves before.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sizes = [len(range(at, self.trials, self.waves)) for at in range(self.waves)]
        sampler = optuna.samplers.TPESampler(
            seed=self.seed, n_startup_trials=sizes[0], constant_liar=True
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for size in sizes[: wave - 1]:
            asked = [study.ask() for _ in range(size)]
            for trial, one in [(trial, self._suggested(trial)) for trial in asked]:
                score = score_of(one)
                if score is None:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                else:
                    study.tell(trial, score)
        for trial in [study.ask() for _ in range(sizes[wave - 1])]:
            yield self._suggested(trial)

    def _suggested(self, trial: "optuna.Trial") -> HyperparameterSet:
        place = 0
        if len(self.candidates) > 1:
            place = trial.suggest_categorical("estimator", range(len(self.candidates)))
        candidate = self.candidates[place]
        return candidate.estimator, draw_values(candidate.params, _Suggestions(trial), (place,))


class _Suggestions:
    """Values that Optuna suggests for one of its trials; see `Draws`."""

    def __init__(self, trial: "optuna.Trial") -> None:
        self._trial = trial

    def choose(self, at: KeyPath, count: int) -> int:
        """See `Draws.choose`."""
        return int(self._trial.suggest_categorical(_name(at), range(count))) if count > 1 else 0

    def number(self, at: KeyPath, kind: str, numbers: list[float]) -> float:
        """See `Draws.number`; of what Optuna does not have, it suggests the share that lies below."""
        if kind == "randint":
            first, behind = map(int, numbers)
            return int(self._trial.suggest_int(_name(at), first, behind - 1))
        if kind in ("uniform", "loguniform"):
            low, high = numbers
            is_log = kind == "loguniform"
            return float(self._trial.suggest_float(_name(at), low, high, log=is_log))
        return DISTRIBUTIONS[kind].at(self._trial.suggest_float(_name(at), 0, 1), numbers)


def _name(at: KeyPath) -> str:
    return "/".join(map(str, at))
