"""What Prometheus is told. Labels are models and statuses, both few."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds; one row takes a few milliseconds.
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ServingMetrics:
    """The figures of one service, in a registry of their own: two in a process do not clash."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "factory_serving_requests",
            "Requests for predictions, by HTTP status.",
            ["model", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "factory_serving_request_seconds",
            "From the head of a request to the end of its answer.",
            ["model"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.rows = Counter(
            "factory_serving_rows", "Rows predicted.", ["model"], registry=self.registry
        )
        self.loaded_version = Gauge(
            "factory_serving_loaded_version",
            "The version that answers.",
            ["model"],
            registry=self.registry,
        )
        self.failed_loads = Counter(
            "factory_serving_failed_loads",
            "Attempts to load a version that did not load or made no sense.",
            ["model"],
            registry=self.registry,
        )
        self.entity_versions = Gauge(
            "factory_serving_entity_versions",
            "Versions of entities' models that are kept in memory.",
            registry=self.registry,
        )
        self.failed_polls = Counter(
            "factory_serving_failed_polls",
            "Times that the model registry did not answer.",
            registry=self.registry,
        )
