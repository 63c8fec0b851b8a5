"""The Airflow DAG file of all teams: every healthy team file in configs/ becomes DAGs here."""

import factory

factory.load_dags(globals())
