# syntax=docker/dockerfile:1
# One image for every Airflow component and for MLflow; docker-compose.yaml says which runs where.
FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /build
COPY pyproject.toml requirements-extras.lock ./
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
# The lock holds the versions and hashes of everything; what is installed is what a cluster needs,
# and what workbooks and storage in S3 do.
RUN uv venv /opt/venv \
    && uv pip install --python /opt/venv/bin/python --no-cache --require-hashes \
        --constraint requirements-extras.lock --requirement pyproject.toml \
        --extra cluster --extra examples --extra excel --extra aws
COPY README.md LICENSE ./
COPY factory ./factory
# The package has them too, for `factory demo`.
COPY configs ./configs
RUN uv pip install --python /opt/venv/bin/python --no-cache --no-deps .

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --create-home factory \
    && install --directory --owner factory --group factory \
        /data /data/lake /data/workspace /data/logs /data/artifacts /data/lineage \
        /opt/airflow /opt/factory
COPY --from=build /opt/venv /opt/venv
# No secret: SECRET_MASK_ADAPTER names the function that hides secrets.
# hadolint ignore=DL3064
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__LOAD_EXAMPLES=false \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/factory/dags \
    AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY=false \
    AIRFLOW__LOGGING__SECRET_MASK_ADAPTER=factory.base.secrets.spellings \
    MLFLOW_DISABLE_TELEMETRY=true \
    DO_NOT_TRACK=true \
    FACTORY_CONFIGS=/opt/factory/configs \
    FACTORY_PROJECT=/opt/factory
WORKDIR /opt/factory
COPY --chown=factory:factory dags ./dags
COPY --chown=factory:factory configs ./configs
USER 10001
# No command: each service brings its own.
