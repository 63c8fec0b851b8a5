"""All teams together: the folder of team files, and whether its links hold."""

from factory.catalog.checking import check_project
from factory.catalog.contract_questions import questions_of_one
from factory.catalog.linking import Catalog
from factory.catalog.project import Project, read_all, read_one, readers_of

__all__ = [
    "Catalog",
    "Project",
    "check_project",
    "questions_of_one",
    "read_all",
    "read_one",
    "readers_of",
]
