"""An estimator that fails, named by dotted path in the team files of `test_notification`."""

from typing import Any, Self

from airflow.sdk import BaseHook
from sklearn.linear_model import LogisticRegression


class Stubborn(LogisticRegression):
    """Refuses to learn where `C` is above one, with a secret in its error."""

    def fit(self, *arguments: Any, **named: Any) -> Self:
        if self.C > 1:
            secret = BaseHook.get_connection("sink").password
            raise RuntimeError(f"no luck <today> with {{{{ C }}}}; logged in with {secret}")
        return super().fit(*arguments, **named)
