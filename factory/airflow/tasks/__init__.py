"""What Airflow's tasks call: thin functions between Airflow's context and the steps.

Every argument is given by name: from the document, or from Airflow's context (`ti`, `params`, …).
Steps are imported inside, so that parsing a DAG file costs none of their imports.
"""
