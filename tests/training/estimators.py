"""Classifiers that do what none should."""

import os
import signal
import threading

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class _Poor(ClassifierMixin, BaseEstimator):
    def predict(self, rows):
        return np.full(len(rows), self.classes_[0])


class Forever(_Poor):
    """Never comes to an end."""

    def fit(self, rows, classes):
        threading.Event().wait()


class TooMuch(_Poor):
    """Is killed, as the system does when memory runs out."""

    def fit(self, rows, classes):
        os.kill(os.getpid(), signal.SIGKILL)


class Refuses(_Poor):
    """Raises an error of its own."""

    def fit(self, rows, classes):
        raise ArithmeticError("will not learn")
