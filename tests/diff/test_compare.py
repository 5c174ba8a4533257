"""Every edit is reported with its kind, and nothing else is reported."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from generator.diff.losses import LOSSES
from generator.diff.model import Alarm, Difference, Effect, Room
from generator.diff.summary import KINDS, NOTHING, as_dict, consequences, headlines
from tests.conftest import ENVIRONMENTS
from tests.diff.comparing import difference
from tests.report.edits import ALERTS, CONDITIONAL, DEPLOYMENT, EDITS, PRICES, Edit, put, rename
from tests.stack.model import TEMPLATES

pytestmark = pytest.mark.slow

PROD = CONDITIONAL


def edited(*applied: Any) -> dict[str, Any]:
    template = copy.deepcopy(PROD)
    for apply in applied:
        apply(template)
    return template


def test_every_edit_has_its_own_name_and_there_are_enough() -> None:
    assert len({one.name for one in EDITS}) == len(EDITS) >= 40


def kinds(found: Difference) -> set[str]:
    return {kind for kind, is_in in KINDS.items() if is_in(found)}


@pytest.fixture(scope="module", params=EDITS, ids=lambda edit: edit.name)
def edit_found(request: pytest.FixtureRequest) -> tuple[Edit, Difference]:
    """Return an edit and its difference. The tests of one edit run one after the other, so both use it."""
    return request.param, difference(*request.param.templates())


def test_an_edit_is_classified(edit_found: tuple[Edit, Difference]) -> None:
    edit, found = edit_found
    assert {one.id: one.replacement for one in found.resources} == edit.changed
    assert tuple(part.path for part in found.parts) == edit.parts
    assert kinds(found) == set(as_dict(found, None)["summary"]["kinds"]) == edit.kinds
    paths = [prop.path for one in found.resources for prop in one.properties]
    assert not edit.path or any(path.removeprefix("Properties.") == edit.path for path in paths), paths
    assert edit.note in " ".join(note for one in found.resources for note in one.notes)
    assert found.is_different


def test_the_reverse_comparison_gives_the_opposite(edit_found: tuple[Edit, Difference]) -> None:
    edit, found = edit_found
    old, new = edit.templates()
    back, opposite = difference(new, old), {"iam-widening": "iam-narrowing", "iam-narrowing": "iam-widening"}
    other = {"removed": "added", "added": "removed", "changed": "changed"}
    may_deny = {"iam-widening"} if "managed policy" in edit.name else set()  # Whoever loses one may do more.
    assert {opposite.get(kind, kind) for kind in edit.kinds} - {"removal"} | may_deny == kinds(back) - {"removal"}
    forth = {one.id: one.change for one in found.resources if one.type != "AWS::ApiGateway::Deployment"}
    assert {one.id: other[one.change] for one in back.resources if one.id in forth} == forth


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_template_does_not_differ_from_itself(name: str) -> None:
    found = difference(TEMPLATES[name], copy.deepcopy(TEMPLATES[name]))
    assert (found.is_different, kinds(found), headlines(found)["Verdict"]) == (False, set(), NOTHING)


def test_a_table_that_would_be_recreated_comes_first() -> None:
    new = edited(
        put("ProcessWebhookLogGroup/Properties/LogGroupName", "/x"), put(f"{ALERTS}/Properties/KeySchema/1", None)
    )
    found = difference(PROD, new)
    assert [one.id for one in found.resources][:2] == [ALERTS, "ProcessWebhookLogGroup"]
    assert next(consequences(found)).startswith(f"Replacement: {ALERTS} would be recreated: the new one starts empty")


def test_a_table_without_retain_loses_its_items() -> None:
    new = edited(put(f"{PRICES}/Properties/KeySchema/1", None), put(f"{PRICES}/UpdateReplacePolicy", "Delete"))
    notes = difference(PROD, new).resources[0].notes
    assert [note.partition(", and with it")[0] for note in notes] == [
        "the new one starts empty and the old one is deleted",
        "UpdateReplacePolicy Retain is removed: the resource is deleted when it is replaced",
    ]
    assert all("its items and the position in its stream" in note for note in notes)


def test_every_type_with_a_loss_is_in_this_stack_except_buckets() -> None:
    assert {resource["Type"] for resource in PROD["Resources"].values()} & LOSSES.keys() == LOSSES.keys() - {
        "AWS::S3::Bucket"
    }


def test_a_new_deployment_hides_no_change_beside_it() -> None:
    new = edited(put("WebhookMethod/Properties/ApiKeyRequired", False), rename(DEPLOYMENT, "WebhookDeployment0"))
    found = difference(PROD, new)
    assert {one.id: one.change for one in found.resources} == {
        "WebhookDeployment0": "changed",
        "WebhookMethod": "changed",
    }
    assert kinds(found) == {"iam-widening"}


def test_reservations_come_with_sum_and_headroom() -> None:
    new = edited(put("ProcessWebhookFunction/Properties/ReservedConcurrentExecutions", 900))
    found = difference(PROD, new, Room(reservable=900, reserved_by_neighbours=10))
    assert as_dict(found, "prod")["summary"]["reserved"] == {"old": 37, "new": 917, "headroom": -27}
    lines = headlines(found)
    assert lines["Reservations"] == "37 → 917, 27 too many of 900 reservable, 10 of it in other environments"
    assert lines["Verdict"] == "the reservations do not fit the account"
    assert difference(PROD, new).reservations.headroom is None


def test_a_handler_is_a_line_diff() -> None:
    new = edited(put("CleanupHistoryFunction/Properties/Code/ZipFile/Fn::Join/1/0", "import json5"))
    (handler,) = difference(PROD, new).handlers
    assert handler.id == "CleanupHistoryFunction"
    changed = [line for line in handler.diff.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert changed[1:] == ["+import json5"]
    assert changed[0].startswith("-import")


@pytest.mark.parametrize(
    ("setting", "value", "effect"),
    [
        ("Threshold", 16_000, "later"),
        ("Threshold", 1, "earlier"),
        ("EvaluationPeriods", 3, "later"),
        ("Period", 60, "other"),
        ("Statistic", "Minimum", "other"),
        ("Threshold", {"Ref": "Limit"}, "other"),
    ],
)
def test_an_alarm_goes_off_earlier_or_later(setting: str, value: object, effect: str) -> None:
    (alarm,) = difference(PROD, edited(put(f"SmsSpendAlarm/Properties/{setting}", value))).alarms
    assert (alarm.setting, alarm.effect) == (setting, effect)


def test_an_alarm_below_a_threshold_goes_off_earlier_when_that_is_raised() -> None:
    below = put("SmsSpendAlarm/Properties/ComparisonOperator", "LessThanThreshold")
    found = difference(edited(below), edited(below, put("SmsSpendAlarm/Properties/Threshold", 16_000)))
    assert found.alarms == (Alarm("SmsSpendAlarm", "Threshold", 12000.0, 16_000, Effect.EARLIER),)


@pytest.mark.parametrize(
    ("setting", "value", "effect"), [("EvaluationPeriods", 10, "other"), ("DatapointsToAlarm", 4, "later")]
)
def test_m_of_more_periods_are_reached_earlier_and_looked_for_longer(setting: str, value: int, effect: str) -> None:
    m_of_n = put("SmsSpendAlarm/Properties/DatapointsToAlarm", 3), put("SmsSpendAlarm/Properties/EvaluationPeriods", 5)
    (alarm,) = difference(edited(*m_of_n), edited(*m_of_n, put(f"SmsSpendAlarm/Properties/{setting}", value))).alarms
    assert (alarm.setting, alarm.effect) == (setting, effect)


def test_the_order_of_dimensions_is_no_other_alarm() -> None:
    path = "SmsSpendAlarm/Properties/Dimensions"
    dimensions = [{"Name": name, "Value": "1"} for name in "AB"]
    old, new = edited(put(path, dimensions)), edited(put(path, dimensions[::-1]))
    assert (difference(old, new).is_different, difference(old, new).alarms) == (False, ())


def test_only_a_create_only_property_among_first_properties_replaces() -> None:
    old, new = edited(put("Bare", {"Type": "AWS::SNS::Topic"})), edited(put("Bare", {"Type": "AWS::SNS::Topic"}))
    new["Resources"]["Bare"]["Properties"] = {"KmsMasterKeyId": "alias/x"}
    assert [one.replacement for one in difference(old, new).resources] == ["none"]
    new["Resources"]["Bare"]["Properties"]["TopicName"] = "x"
    assert [one.replacement for one in difference(old, new).resources] == ["certain"]


def test_a_policy_with_another_version_and_content_shows_both() -> None:
    path = "ProcessWebhookRole/Properties/Policies/0/PolicyDocument"
    new = edited(put(f"{path}/Version", "2008-10-17"), put(f"{path}/Statement/0/Action/0", None))
    (role,) = difference(PROD, new).resources
    assert [one.path for one in role.properties] == [
        "Properties.Policies[0].PolicyDocument.Version",
        "Properties.Policies[0].PolicyDocument",
    ]
    assert (role.properties[0].old, role.properties[0].new) == ("2012-10-17", "2008-10-17")


def test_parameters_and_conditions_list_their_dependants() -> None:
    new = edited(lambda t: t["Parameters"]["ApiLogging"].update(Default="create"))
    (part,) = difference(PROD, new).parts
    assert (part.path, part.old, part.new) == ("Parameters.ApiLogging.Default", "existing", "create")
    assert part.affects == ("WebhookStage", "ApiLoggingRole", "ApiLoggingAccount")
    new = edited(lambda t: t["Parameters"]["EnvironmentSuffix"].update(Default="blue"))
    assert difference(PROD, new).parts[0].affects == ("WebhookApi", "WebhookApiErrorsAlarm", "WebhookRefusalsAlarm")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, inner in items for found in leaves(inner, (*path, key))]
    return [path]


@pytest.mark.parametrize("start", range(4))
def test_no_changed_value_is_missed(start: int) -> None:
    """Every sixteenth value of the template's resources, four times over; one value of each resource at a time."""
    values: dict[str, list[tuple[Any, ...]]] = {}
    for path in leaves(PROD["Resources"])[start * 4 :: 16]:
        values.setdefault(path[0], []).append(path)
    for paths in itertools.zip_longest(*values.values()):
        changed = [path for path in paths if path]
        new = copy.deepcopy(PROD)
        for path in changed:
            target = new["Resources"]
            for step in path[:-1]:
                target = target[step]
            old = target[path[-1]]
            target[path[-1]] = not old if isinstance(old, bool) else f"{old}Z"
        assert {path[0] for path in changed} <= {one.id for one in difference(PROD, new).resources}, changed
