"""The complete report for people."""

import pytest

from generator.simulation import as_text, simulate
from generator.simulation.report import TITLES
from generator.simulation.statistics import Estimate, TargetVerdict
from generator.simulation.targets import Target

pytestmark = pytest.mark.slow

EXPECTED = """\
prod, workload peak: 3 replications of 3 min, seed 1

target                           at most  measured  95 % interval  verdict
-------------------------------  -------  --------  -------------  ------------
reserved concurrency                 900        25              -  met
webhooks throttled or timed out   0.01 %      20 %   19 % to 21 %  missed
notifications a second late          1 %    0.69 %   0 % to 2.8 %  inconclusive
busiest shard's lanes in use        50 %      29 %   27 % to 31 %  met
webhooks throttled or timed out: missed; change first: ProcessWebhookFunction's reservation of 8
notifications a second late: inconclusive; about 146 replications would decide

function                  reserved  concurrency  peak  invocations  throttles  cold starts  warm instances
------------------------  --------  -----------  ----  -----------  ---------  -----------  --------------
ProcessWebhookFunction           8         5.90     8       30,343      7,398          0 %             8.0
CheckAlertsFunction             10         1.75     7        3,763          0      0.027 %             6.6
SendNotificationFunction         5         0.82     5        1,449         10       0.48 %             4.9
CleanupHistoryFunction           2         0.00     0            0          0            -             0.0

webhooks: 37,741 offered, 30,328 accepted, 0 throttled by API Gateway, 7,398 throttled by Lambda
webhook to answer: p50 84.2 ms, p95 251 ms, p99 392 ms; 0 % later than 3 s
webhook to SMS: p50 1.13 s, p95 1.79 s, p99 2.27 s (1,449 notified)
stream iterator age: p99 721 ms, maximum 1.29 s

not simulated:
  CleanupSchedule: cron(0 * * * ? *) is not a rate(...) expression
  CleanupHistoryFunction: nothing in the template invokes it"""


@pytest.fixture
def result(template, environment):
    """Simulate three minutes of prod with 8 reserved for ProcessWebhook and a schedule that is not understood."""
    template["Resources"]["ProcessWebhookFunction"]["Properties"]["ReservedConcurrentExecutions"] = 8
    template["Resources"]["CleanupSchedule"]["Properties"]["ScheduleExpression"] = "cron(0 * * * ? *)"
    plain = environment("prod", "simulation.warm_up_s=30", "simulation.sender_retries=false")
    return simulate(template, plain, hours=0.05, replications=3, workers=1)


def test_the_report_starts_with_the_verdicts_and_the_first_thing_to_change(result):
    assert as_text(result) == EXPECTED


def test_every_target_has_a_title(result):
    assert {target.name for target in result.targets} == set(TITLES)
    assert all(isinstance(target, Target) for target in result.targets)


def test_no_line_ends_in_spaces_or_exceeds_120_characters(result):
    for line in as_text(result).splitlines():
        assert line == line.rstrip()
        assert len(line) <= 120


def test_one_loss_is_counted_in_the_singular(result):
    result["webhooks"]["failed"] = 1
    result["stream"]["dropped"] = 2
    assert "\nlost: 1 webhook timed out, 2 records expired\n" in as_text(result)


def test_each_target_that_is_not_met_has_a_comment(result):
    at_target = Target("reserved_concurrency", 0.01, Estimate(0.0099, 0.0022, 0.021), TargetVerdict.AT_TARGET)
    targets = [
        at_target,
        Target("stream_utilisation", 0.5, Estimate(0.5, 0.4, 0.6), TargetVerdict.INCONCLUSIVE, None),
        Target("notification_wait_probability", 0.01, Estimate(None, None, None), TargetVerdict.INCONCLUSIVE, None),
        Target("webhook_throttle_probability", 1e-4, Estimate(0.0, 0.0, 1e-3), TargetVerdict.INCONCLUSIVE, 30),
    ]
    text = as_text(type(result)(**{name: getattr(result, name) for name in result.__slots__} | {"targets": targets}))
    assert "measured value is within 5 % of it, its interval reaches 2.1 times it; more time or replications" in text
    assert "busiest shard's lanes in use: inconclusive; no reasonable number of replications would decide" in text
    assert "notifications a second late: inconclusive; nothing was measured" in text
    assert "webhooks throttled or timed out: inconclusive; about 30 replications would decide" in text
