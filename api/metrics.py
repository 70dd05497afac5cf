"""What is counted, for Prometheus."""

from __future__ import annotations

import bisect
import itertools
import time
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

COMPILED = Gauge("wushe_plans_compiled", "Statements that the engine has written since it started.")
OPEN = Gauge("wushe_open", "Sockets and streams that are open.", ["kind"])
CLOSES = Counter("wushe_socket_closes_total", "Sockets that the server ended, by the code that it said.", ["code"])
CONNECTIONS = Gauge("wushe_connections", "Database connections of the API's pool.", ["state"])
RETRIED = Gauge(
    "wushe_transactions_retried", "Transactions begun again since the start, after a deadlock or conflict.", ["why"]
)
LOG_LOST = Counter("wushe_log_writes_lost_total", "Writes to the log that failed: the disk that it lies on is full.")
SLOW_HELD = Gauge(
    "wushe_connections_slow", "Connections of the API's pool that slow statements hold now: a third at most."
)
RELAY_LAG = Gauge("wushe_relay_lag_seconds", "Age of the oldest event that the relay had not read at its last look.")
UNSEALED = Gauge("wushe_audit_unsealed_rows", "Rows of the audit log that no seal holds yet, counted to 100,000.")
UNSEALED_AGE = Gauge("wushe_audit_unsealed_seconds", "Age of the oldest row of the audit log that no seal holds yet.")
DOCUMENTS = Counter(
    "wushe_documents_total",
    "Documents named by a hash that were registered, missed (the client sends the text), refused or mismatched.",
    ["came"],
)
PUBLISHED = Gauge("wushe_documents_published", "Trusted documents that this process knows.")
CUT = Counter(
    "wushe_connections_cut_total",
    "Connections that were ended for what their clients did not do: head, body, answer, idle; or crowded.",
    ["why"],
)
LOG_DROPPED = Counter("wushe_log_lines_dropped_total", "Lines that were too many of one request, or of all.")
RATE_LIMITED = Counter(
    "wushe_rate_limited_total",
    "Requests refused by a limit, by whose: key, person, anonymous, address, sign-in.",
    ["of"],
)
ALONE = Gauge("wushe_rate_alone", "1 while limits stand alone in this process, since the database is away.")
RENEWALS = Counter("wushe_rate_renewals_total", "Statements that renewed this process's leases of points.")
DOWNLOADS = Counter(
    "wushe_downloads_total",
    "Requests for files, by what they are of (exports, reports, privacy, files) and by the status of their answer: 500 also"
    " for a file that broke off, gone where the client left.",
    ["of", "status"],
)
SUBSCRIBERS = Gauge("wushe_subscribers", "Subscriptions that are open in this process.")
DELIVERIES = Counter("wushe_deliveries_total", "Events that were handed to a transport for a subscriber.")
DELIVERY_LAG = Histogram(
    "wushe_delivery_lag_seconds",
    "From the time of an event to when it was handed to a subscriber's transport, for events after he subscribed.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class Requests(Collector):
    """GraphQL requests, by status and by how long they took.

    Counted in plain lists and made into samples when Prometheus asks: its own counters cost a tenth of the door.
    """

    BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

    def __init__(self) -> None:
        self.by_status: dict[str, int] = {}
        self.within = [0] * (len(self.BOUNDS) + 1)
        self.seconds = 0.0

    def ended(self, status: str, began: float) -> None:
        """Counts a request that began at `time.perf_counter()` = `began`. `status`, or gone: the client left."""
        took = time.perf_counter() - began
        self.by_status[status] = self.by_status.get(status, 0) + 1
        self.within[bisect.bisect_left(self.BOUNDS, took)] += 1
        self.seconds += took

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "wushe_requests_total",
            "GraphQL requests, by the status of their answer (or gone: the client left).",
            labels=["status"],
        )
        for status, count in self.by_status.items():
            requests.add_metric([status], count)
        yield requests
        buckets = zip([*map(floatToGoString, self.BOUNDS), "+Inf"], itertools.accumulate(self.within), strict=True)
        yield HistogramMetricFamily(
            "wushe_request_seconds", "How long GraphQL requests took.", buckets=list(buckets), sum_value=self.seconds
        )


_requests = Requests()
REGISTRY.register(_requests)
ended = _requests.ended


def age(of: datetime | None, now: datetime) -> float:
    """Seconds since something that waits began to; 0 where nothing waits."""
    return 0.0 if of is None else max(0.0, (now - of).total_seconds())


def text() -> bytes:
    """Everything that is counted, in Prometheus' text format."""
    return generate_latest(REGISTRY)
