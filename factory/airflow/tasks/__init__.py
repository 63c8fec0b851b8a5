"""What Airflow's tasks call: thin functions between Airflow's context and the steps.

Every argument is given by name: `run` is the task's `TaskRun`, others come from the document (its
`op_kwargs`) or from Airflow's context (`ti`, `outlet_events`, …).
Steps are imported inside, so that parsing a DAG file costs none of their imports.
"""
