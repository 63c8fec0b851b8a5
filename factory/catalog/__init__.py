"""All teams together: the folder of team files, and whether its links hold."""

from factory.catalog.checking import check_project
from factory.catalog.linking import Catalog
from factory.catalog.project import Project, read_all, read_one

__all__ = ["Catalog", "Project", "check_project", "read_all", "read_one"]
