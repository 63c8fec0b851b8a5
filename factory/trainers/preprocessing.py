"""Where versions registered before `factory.trainers.scikit_learn` existed look for their classes."""

from factory.trainers.scikit_learn.preprocessing import DateParts

__all__ = ["DateParts"]
