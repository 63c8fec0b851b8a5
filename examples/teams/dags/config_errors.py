"""Shows every problem in configs/ among Airflow's import errors.

A file of its own, because an error in an Airflow DAG file takes all dags of that file away: here
there are none to lose, and the healthy teams in teams.py keep running.
"""

from factory.airflow.load import raise_problems

raise_problems(__file__)
