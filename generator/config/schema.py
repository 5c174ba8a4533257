"""The schema of an environment: every setting with its unit, range, default and the reason for it.

Defaults are stated only here and in `generator.config.prices`. `docs/settings_page.py` publishes the docstrings and the
comments above the settings in `environments/README.md`.
"""

# Annotations stay values: a named tuple compiles each one that is a text, on every start.
from enum import StrEnum
from typing import NamedTuple

from generator import aws
from generator.config.fields import REQUIRED, choice, flag, number, pairs, section, tables, text, whole_number
from generator.config.prices import Prices, Usage
from generator.config.senders import CHECKS, MAX_SOURCES, Scheme, WebhookSource

WEBHOOKS_PER_HOUR = (100, 50_000)
"""The supported rates. Beyond them, the rest of the stack (shards, one Region, one SMS sender) is untested."""

PEAK_FACTOR = (1, 100)

WEBHOOKS_PER_BURST = (1, 1000)

MAX_BATCH_SIZE = 1000
"""Lambda allows 10,000, but a batch is processed record by record within one timeout."""

ENVIRONMENT_NAME = r"[a-z][a-z0-9-]{0,31}"

WORKLOADS = ("peak", "poisson", "day", "spike", "trace")


MOVED = {
    "operations.sms_monthly_spend_usd": "sms.monthly_budget_usd",
    "prices.sms_usd_per_message": "sms.price_usd_per_message",
}
"""Settings of earlier releases, and their names today."""


class OnShortfall(StrEnum):
    """The reaction of an environment to an account that is too small for all reservations."""

    FAIL = "fail"
    FIT = "fit"
    UNRESERVED = "unreserved"


class Traffic(NamedTuple):
    """The expected load."""

    # The mean rate of the busiest hour. Reservations are sized for the peak within that hour.
    webhooks_per_hour: int = whole_number(
        REQUIRED,
        *WEBHOOKS_PER_HOUR,
        too_low="raise it to 100: lower rates need the same capacity",
        too_high="lower it or split the sources over two stacks",
    )
    # The rate of the busiest minute over the mean rate of the busiest hour. 5 suits lively traffic; measure your own
    # with `generator size --fit-trace`.
    peak_factor: float = number(5.0, *PEAK_FACTOR)
    # Notifications per webhook. The default assumes that one price in twenty crosses a threshold.
    alerts_per_webhook: float = number(0.05, 0, 100)
    # Notifications that one price fires at once when it crosses a threshold, on average (geometric). More alerts per
    # crossing are fewer crossings: `alerts_per_webhook` stays the mean.
    alerts_per_crossing: float = number(1.0, 1, 1000)
    # Webhooks that arrive at once, on average (geometric). 1: each arrives by itself, as from relays that sample. Raw
    # feeds of an exchange need more.
    webhooks_per_burst: float = number(1.0, *WEBHOOKS_PER_BURST)
    # Share of all records on the busiest shard. The records of one market share a partition key, so a hot market does
    # not spread over shards.
    busiest_shard_share: float = number(0.40, 0.001, 1)
    # A price that is older than this when its webhook arrives is stored but fires no alerts.
    max_price_age_s: int = whole_number(300, 1, 86_400)
    # No SMS is sent for an alert that fired longer ago than this, for late retries and replays.
    max_notification_age_s: int = whole_number(3600, 60, 14 * 86_400)


class Targets(NamedTuple):
    """The service levels at the peak."""

    # Share of webhooks that may be throttled: 1 in 10,000. A throttled webhook is lost unless its sender retries.
    webhook_throttle_probability: float = number(1e-4, 1e-9, 0.1)
    # Share of notifications that may start a second or more late: 1 in 100. One that finds every reserved execution
    # busy is tried again after 1 s, 3 s and 7 s, and is not lost. Source: AWS Lambda Developer Guide, "Asynchronous
    # invocation".
    notification_wait_probability: float = number(0.01, 1e-6, 0.5)
    # Highest utilisation of the busiest shard's lanes. At one half, a backlog drains as fast as it grew.
    stream_utilisation: float = number(0.5, 0.05, 0.95)


class AccountSettings(NamedTuple):
    """The target account and Region, whose concurrency all of its functions share."""

    # Environments with the same account name and Region share one quota. Empty: the environment has its own account.
    name: str = text("", r"[A-Za-z0-9._-]{0,64}", "a name of up to 64 letters, digits, dots, dashes and underscores")
    # "Concurrent executions" in Service Quotas, L-B99A9384. New accounts may have as little as 10.
    # Source: AWS Lambda Developer Guide, "Lambda quotas".
    concurrency_limit: int = whole_number(aws.DEFAULT_CONCURRENCY_LIMIT, 1, 1_000_000)
    # Concurrency that AWS keeps unreserved. Accounts with a low quota have reported 10, 40 and 50.
    # Source: AWS Lambda API reference, PutFunctionConcurrency.
    unreserved_floor: int = whole_number(aws.DEFAULT_UNRESERVED_FLOOR, 0, 1_000_000)
    # Concurrency reserved by functions outside these environments.
    reserved_elsewhere: int = whole_number(0, 0, 1_000_000)
    # If the account is too small: "fail" refuses to generate, "fit" reserves the best share of what is left, and
    # "unreserved" reserves nothing. Environments of one account with "fit" are optimised together.
    on_shortfall: OnShortfall = choice(OnShortfall.FAIL, *OnShortfall)


class StreamSettings(NamedTuple):
    """How CheckAlerts reads the stream of the price table."""

    # Shards of the price table's stream. The default is inferred, not documented: a new on-demand table serves 4,000
    # writes/s, a partition 1,000, and each partition has a shard.
    shards: int = whole_number(4, 1, 1000)
    # Records per batch. One bad record causes at most 9 others to be retried with it. Lambda allows 10,000, which
    # would not finish within a timeout. Source: AWS Lambda API reference, CreateEventSourceMapping.
    batch_size: int = whole_number(10, 1, MAX_BATCH_SIZE)
    # Longest time for which Lambda collects the records of a batch. Lambda also allows 0, but without a window batches
    # of one record keep the lanes up to twice as busy as targeted.
    batching_window_s: int = whole_number(
        1, 1, aws.MAX_BATCHING_WINDOW_S, too_low="raise it to 1: without a window, most batches have one record"
    )


class FunctionSettings(NamedTuple):
    """Ranges: AWS Lambda Developer Guide, "Lambda quotas"."""

    # Mean duration of one execution without cold start: the CloudWatch metric Duration, statistic Average.
    mean_duration_ms: float = number(REQUIRED, 1, 1000 * aws.MAX_FUNCTION_TIMEOUT_S)
    # 95th percentile of Duration: the spread of a lognormal distribution. It matters only where bursts do. If you
    # change only the mean, the default changes in the same ratio.
    p95_duration_ms: float = number(REQUIRED, 1, 1000 * aws.MAX_FUNCTION_TIMEOUT_S, scales_with="mean_duration_ms")
    # Distribution of the durations.
    distribution: str = choice("lognormal", "lognormal", "exponential", "constant")
    # Added to the first run of a new instance.
    cold_start_ms: float = number(600, 0, 60_000)
    # Memory, which also determines processor time. ProcessWebhook has the most, because senders wait for it.
    memory_mb: int = whole_number(REQUIRED, aws.MIN_FUNCTION_MEMORY_MB, aws.MAX_FUNCTION_MEMORY_MB)
    # Time after which Lambda stops a run. The defaults leave room for retried calls, and for a cleanup after several
    # days without one.
    timeout_s: int = whole_number(REQUIRED, 1, aws.MAX_FUNCTION_TIMEOUT_S)
    # Reserved concurrency to use instead of the derived one, for example because a pipeline fixes it. `generator size`
    # shows both and what this one gives; on_shortfall = "fit" does not change it.
    reserved_concurrency: int | None = whole_number(
        None, 1, 1_000_000, too_low="raise it to 1: without concurrency the function never runs"
    )


class Functions(NamedTuple):
    """Starting values; replace the durations with measured ones. The duration of check_alerts is that of a batch."""

    process_webhook: FunctionSettings = section(
        FunctionSettings, mean_duration_ms=105, p95_duration_ms=250, memory_mb=1024, timeout_s=30
    )
    check_alerts: FunctionSettings = section(
        FunctionSettings, mean_duration_ms=250, p95_duration_ms=600, memory_mb=512, timeout_s=60
    )
    send_notification: FunctionSettings = section(
        FunctionSettings, mean_duration_ms=300, p95_duration_ms=700, memory_mb=256, timeout_s=30
    )
    cleanup_history: FunctionSettings = section(
        FunctionSettings, mean_duration_ms=2000, p95_duration_ms=5000, memory_mb=256, timeout_s=300
    )


class Retention(NamedTuple):
    """How long data is kept."""

    # Days until prices expire. A month is enough to investigate most incidents; storage is billed by size.
    price_history_days: int = whole_number(30, 1, 3650)
    # Days until logs expire. Options: Amazon CloudWatch Logs API reference, PutRetentionPolicy.
    log_days: int = choice(30, *aws.LOG_RETENTION_DAYS)


class Operations(NamedTuple):
    """Notifications about problems, and protection of the data."""

    # Address that receives alarms. Empty: none.
    email: str = text("", r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address or empty")
    # Protects the tables from deletion. Off by default so that a trial can be deleted; turn it on in production.
    deletion_protection: bool = flag(False)
    # Minutes without a fresh price that set off an alarm; 0: no alarm. -1 derives them from the rate, at least 15, so
    # that a quiet night, with a tenth of the rate, does not set it off.
    silence_minutes: int = whole_number(-1, -1, 1440)
    # The role with which API Gateway writes logs. "create" changes a setting of the whole account and Region, so one
    # environment there may create it. The role and the setting stay when the stack is deleted.
    api_logging_role: str = choice("existing", "existing", "create")


class DeploymentSettings(NamedTuple):
    """How the template reaches CloudFormation."""

    # Bucket in the stack's Region through which the deploy command uploads the template. It raises the limit of the
    # template from 51,200 bytes to 1,000,000. Empty: none. Source: Amazon S3 User Guide, "General purpose bucket naming
    # rules".
    upload_bucket: str = text("", r"|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of an S3 bucket or empty")


class Sms(NamedTuple):
    """What SMS may cost, and how fast they can be sent. `size`, `check` and the page compare both with the traffic."""

    # Price of one SMS of one part, with carrier fees. It depends on country and carrier and changes often, so it has no
    # default; without it, the bill does not include SMS, and the budget is not checked.
    price_usd_per_message: float | None = number(None, 0.0001, 10)
    # Monthly budget; an alarm fires at 80 % of it. The quota of a new account is 1 USD and must be raised.
    # Source: Amazon SNS Developer Guide, SMS spending quota.
    monthly_budget_usd: float = number(50, 1, 1_000_000)
    # SMS per second that the account and its origination number can send. An account sends 20, a toll-free number of
    # the United States only 3. Source: AWS General Reference, Amazon SNS quotas; AWS End User Messaging SMS User
    # Guide, "Message parts per second (MPS) limits".
    messages_per_s: float = number(20, 0.1, 10_000)


class Simulation(NamedTuple):
    """The workload of `generator simulate` and its assumptions. Vary those that AWS does not document."""

    # "peak" and "poisson" are Poisson arrivals at the peak rate and at the mean rate, "day" is a day with a quiet
    # night, "spike" a burst of volatility, "trace" a recording.
    workload: str = choice("peak", *WORKLOADS)
    # Highest rate of the workload "spike" over the mean rate. The default models a wave of liquidations.
    spike_factor: float = number(10, 1, 1000)
    # Time from the mean rate to the highest rate.
    spike_onset_s: float = number(30, 0, 3600)
    # Time in which the excess over the mean rate falls to 37 % (1/e).
    spike_decay_s: float = number(600, 1, 86_400)
    # Exponent of Zipf's law for the markets' shares of webhooks. At 1, the second market has half as many as the first.
    symbol_zipf_exponent: float = number(1.0, 0, 5)
    # Quoted markets. Together with the Zipf exponent they determine the share of the busiest one.
    symbols: int = whole_number(50, 1, 10_000)
    # Simulated time before the measured time: at the mean rate before a peak, else at the rate that follows. 0 measures
    # from the first cold start, as after a deployment.
    warm_up_s: float = number(300, 0, 86_400)
    # Senders repeat refused webhooks on the schedule of Standard Webhooks, but not before the time that Retry-After
    # states. Source: Standard Webhooks specification, "Deliverability and reliability"; RFC 9110, section 10.2.3.
    sender_retries: bool = flag(True)
    # Each wait of a sender is up to this share longer at random. The same specification recommends jitter
    # but states no amount.
    sender_jitter: float = number(0.1, 0, 1)
    # Burst of Lambda's limit of ten requests per second and unit, in seconds of that rate. Not documented.
    request_rate_window_s: float = number(1, 0, 60)
    # First wait of a stream's poller after a throttle. It doubles up to the longest wait. Not documented.
    stream_backoff_first_s: float = number(1, 0.1, 3600)
    # Longest wait of a stream's poller after a throttle. Not documented.
    stream_backoff_longest_s: float = number(60, 0.1, 3600)
    # How long Lambda keeps an idle warm instance. Not documented by AWS; 5 to 15 minutes is commonly observed.
    environment_idle_timeout_s: float = number(600, 1, 86_400)
    # Concurrent executions of all other functions in the account.
    account_load: int = whole_number(0, 0, 1_000_000)


class Environment(NamedTuple):
    """One environment: one template, one stack."""

    # The name of the file without .toml.
    name: str = text(
        REQUIRED, ENVIRONMENT_NAME, "a name of up to 32 lower-case letters, digits and dashes, a letter first"
    )
    # The Region to deploy to. Environments share a quota only within one Region.
    region: str = text(REQUIRED, r"[a-z]{2,4}(-[a-z]+)+-\d", "a Region such as us-east-1")
    # Tags of the stack, which CloudFormation copies to its resources: a table with lines such as team = "prices". They
    # are added to the deploy command on the page, not to the template. Source: AWS CloudFormation API reference, Tag.
    tags: tuple[tuple[str, str], ...] = pairs(
        r"(?!aws:)[\w .:/+@-]{1,128}",
        r"[\w .:/=+@-]{0,256}",
        "tags of letters, digits, spaces and _ . : / = + - @ (no = in a name, no name that starts with aws:)",
        aws.MAX_STACK_TAGS,
    )
    traffic: Traffic = section(Traffic)
    sources: tuple[WebhookSource, ...] = tables(WebhookSource, MAX_SOURCES, CHECKS)
    targets: Targets = section(Targets)
    account: AccountSettings = section(AccountSettings)
    stream: StreamSettings = section(StreamSettings)
    functions: Functions = section(Functions)
    retention: Retention = section(Retention)
    operations: Operations = section(Operations)
    deployment: DeploymentSettings = section(DeploymentSettings)
    sms: Sms = section(Sms)
    simulation: Simulation = section(Simulation)
    prices: Prices = section(Prices)
    usage: Usage = section(Usage)

    @property
    def peak_rate_per_s(self) -> float:
        """The arrival rate that everything is sized for, in webhooks per second."""
        return self.traffic.webhooks_per_hour / 3600 * self.traffic.peak_factor

    @property
    def paths(self) -> tuple[WebhookSource, ...]:
        """The sources with a path of their own: all but the standard one."""
        return tuple(source for source in self.sources if source.scheme != Scheme.STANDARD)
