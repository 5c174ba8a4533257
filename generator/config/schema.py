"""The schema of an environment: every setting with its unit, its range, its default and the reason for it.

This and `generator.config.prices` are the only places that state defaults; `generator.config.files` reads the files.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator import aws
from generator.config.fields import REQUIRED, choice, flag, number, section, text, whole
from generator.config.prices import Prices, Usage

WEBHOOKS_PER_HOUR = (100, 50_000)
"""The supported rates; outside, the stack's other parts (shards, one Region, one number to send from) are unproven."""

MAX_BATCH_SIZE = 1000
"""Lambda takes 10,000; but a batch is worked through record by record within one timeout."""

WORKLOADS = ("peak", "poisson", "day", "spike", "trace")
"""Poisson at the peak rate; at the mean rate; a day with a quiet night; a burst of volatility; a recording."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What arrives."""

    # The mean of the hour that is to be carried; everything is sized for its peak.
    webhooks_per_hour: int = whole(
        REQUIRED,
        *WEBHOOKS_PER_HOUR,
        too_low="raise it: a smaller rate needs no less than 100 does",
        too_high="lower it or split the sources over two stacks",
    )
    # The busiest minute over the mean of its hour. Five is lively; measure your own with `generator size --fit-trace`.
    peak_factor: float = number(5.0, 1, 100)
    # Notifications for each webhook: one price in twenty crosses somebody's threshold.
    alerts_per_webhook: float = number(0.05, 0, 100)
    # Of all records. One hot market does not spread over shards: its records share a partition key.
    busiest_shard_share: float = number(0.40, 0.001, 1)


@dataclass(frozen=True, slots=True)
class Targets:
    """What is promised at the peak."""

    # A throttled webhook is lost unless its sender tries again: one in ten thousand.
    webhook_throttle_probability: float = number(1e-4, 1e-9, 0.1)
    # A notification that waits is late, not lost: one in a hundred.
    notification_wait_probability: float = number(0.01, 1e-6, 0.5)
    # How busy the busiest shard's lanes may be: half, so that a backlog drains at the speed at which it grew.
    stream_utilisation: float = number(0.5, 0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Account:
    """The account and Region that the stack goes into; their concurrency is shared by everything in them."""

    # Empty: the environment's own name, that is, an account of its own.
    name: str = text("", r"[A-Za-z0-9._-]{0,64}", "a name of up to 64 letters, digits, dots, dashes and underscores")
    # "Concurrent executions" in Service Quotas, L-B99A9384. The default quota; new accounts may have 10.
    # Source: AWS Lambda Developer Guide, "Lambda quotas".
    concurrency_limit: int = whole(aws.DEFAULT_CONCURRENCY_LIMIT, 1, 1_000_000)
    # What AWS keeps unreserved. Source: Lambda API reference, PutFunctionConcurrency. Accounts with a low quota
    # have answered with 10, 40 or 50, so it is an input.
    unreserved_floor: int = whole(aws.DEFAULT_UNRESERVED_FLOOR, 0, 1_000_000)
    # Reserved by functions that are not part of these environments.
    reserved_elsewhere: int = whole(0, 0, 1_000_000)
    # When not everything fits: refuse, give this environment the best share of what the others leave, or reserve
    # nothing for it. Environments of one account that say "fit" are shared out together.
    on_shortfall: str = choice("fail", "fail", "fit", "unreserved")


@dataclass(frozen=True, slots=True)
class Stream:
    """How the price table's stream is read."""

    # Inferred, not documented: a new on-demand table serves 4,000 writes/s, a partition 1,000, and shards follow.
    shards: int = whole(4, 1, 1000)
    # Ten share an execution, and one bad record has no more than nine others tried again with it. Lambda takes 10,000,
    # which would not be worked through within a timeout. Source: Lambda API reference, CreateEventSourceMapping.
    batch_size: int = whole(10, 1, MAX_BATCH_SIZE)
    # Lambda takes 0, too; but without a window batches of one record keep the lanes busy at up to twice the target.
    batching_window_s: int = whole(
        1, 1, aws.MAX_BATCHING_WINDOW_S, too_low="raise it: sizing relies on batches that fill"
    )


@dataclass(frozen=True, slots=True)
class Function:
    """Ranges: AWS Lambda Developer Guide, "Lambda quotas"."""

    # Of one execution without cold start: the metric Duration, as Average. All formulas need no more than this.
    mean_duration_ms: float = number(REQUIRED, 1, 1000 * aws.MAX_FUNCTION_TIMEOUT_S)
    # Duration, as p95: how far executions scatter in the simulation, where their distribution is lognormal.
    p95_duration_ms: float = number(REQUIRED, 1, 1000 * aws.MAX_FUNCTION_TIMEOUT_S)
    # The shape that the simulation gives them.
    distribution: str = choice("lognormal", "lognormal", "exponential", "constant")
    # Added to the first run of a new execution environment.
    cold_start_ms: float = number(600, 0, 60_000)
    # Memory buys processor time: most where a sender waits, least where nobody does.
    memory_mb: int = whole(REQUIRED, aws.MIN_FUNCTION_MEMORY_MB, aws.MAX_FUNCTION_MEMORY_MB)
    # Leaves room for calls that are tried again, and for a cleanup after days of nothing.
    timeout_s: int = whole(REQUIRED, 1, aws.MAX_FUNCTION_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Functions:
    """Durations to begin with; replace them with measured ones. A check_alerts duration is that of a whole batch."""

    process_webhook: Function = section(
        Function, mean_duration_ms=105, p95_duration_ms=250, memory_mb=1024, timeout_s=30
    )
    check_alerts: Function = section(Function, mean_duration_ms=250, p95_duration_ms=600, memory_mb=512, timeout_s=60)
    send_notification: Function = section(
        Function, mean_duration_ms=300, p95_duration_ms=700, memory_mb=256, timeout_s=30
    )
    cleanup_history: Function = section(
        Function, mean_duration_ms=2000, p95_duration_ms=5000, memory_mb=256, timeout_s=300
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept."""

    # A month of prices, and of logs below, tells what happened without keeping everything; both are billed by size.
    price_history_days: int = whole(30, 1, 3650)
    # Choices: CloudWatch Logs API reference, PutRetentionPolicy.
    log_days: int = choice(30, *aws.LOG_RETENTION_DAYS)


@dataclass(frozen=True, slots=True)
class Operations:
    """Who hears of trouble, and what protects the data."""

    # Empty: nobody is subscribed to the alarms.
    email: str = text("", r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address or empty")
    # Off, so that a trial can be deleted; an environment that matters sets it.
    deletion_protection: bool = flag(False)
    # "create" changes a setting of the whole account and Region, so it has to be chosen.
    api_logging_role: str = choice("existing", "existing", "create")
    # Some thousand SMS, and soon noticed. An account's own quota is 1 USD a month at first and has to be raised.
    # Source: Amazon SNS Developer Guide, SMS spending quota.
    sms_monthly_spend_usd: float = number(50, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The hour that `generator simulate` tries."""

    # Poisson at the peak rate; Poisson at the mean rate; a day with a quiet night; a burst of volatility; a recording.
    workload: str = choice("peak", *WORKLOADS)
    # The summit of the workload "spike" over the mean rate: a liquidation, not a newspaper's day.
    spike_factor: float = number(10, 1, 1000)
    # From the mean rate to the summit: half a minute.
    spike_onset_s: float = number(30, 0, 3600)
    # Until all but 37 % of what exceeds the mean is gone again: exp(-1).
    spike_decay_s: float = number(600, 1, 86_400)
    # How unequal markets are, by Zipf's law. With 1 the second market trades half as often as the first.
    symbol_zipf_exponent: float = number(1.0, 0, 5)
    # How long Lambda keeps an idle execution environment. Not documented by AWS; 5 to 15 minutes is commonly observed.
    environment_idle_timeout_s: float = number(600, 1, 86_400)
    # Concurrent executions of everything else in the account.
    account_load: int = whole(0, 0, 1_000_000)


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: one template, one stack."""

    # The file's name without .toml.
    name: str = text(
        REQUIRED, r"[a-z][a-z0-9-]{0,31}", "a name of up to 32 lower-case letters, digits and dashes, a letter first"
    )
    # Where the stack is to be: environments share a quota only within one Region.
    region: str = text(REQUIRED, r"[a-z]{2,4}(-[a-z]+)+-\d", "a Region such as us-east-1")
    traffic: Traffic = section(Traffic)
    targets: Targets = section(Targets)
    account: Account = section(Account)
    stream: Stream = section(Stream)
    functions: Functions = section(Functions)
    retention: Retention = section(Retention)
    operations: Operations = section(Operations)
    simulation: Simulation = section(Simulation)
    prices: Prices = section(Prices)
    usage: Usage = section(Usage)

    @property
    def peak_rate_per_s(self) -> float:
        """The arrival rate that everything is sized for, in webhooks per second."""
        return self.traffic.webhooks_per_hour / 3600 * self.traffic.peak_factor
