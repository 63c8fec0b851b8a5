"""What tasks do, as plain Python: a notebook could call it. Nothing here imports Airflow."""
