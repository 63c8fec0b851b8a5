"""Airflow's user management by FAB, where an approval may name users by their names.

FAB's user ids are numbers that a team cannot know, and an approval that names `ana` could be given by nobody.
"""

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User


class NamedFabAuthManager(FabAuthManager):  # type: ignore[misc]
    """FAB's manager, for `AIRFLOW__CORE__AUTH_MANAGER`."""

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether a user may answer what is assigned to some: by name, or by id.

        A name of digits alone is an id: nobody answers in the place of the user with that id.
        """
        if user.get_id() in assigned_users:
            return True
        name = str(user.get_name())
        return name in assigned_users and not name.isdigit()
