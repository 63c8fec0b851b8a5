"""The page of the teams: datasets and models, how they stand and what they were; shown within Airflow."""
