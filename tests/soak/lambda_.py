"""AWS Lambda: warm instances of the shipped handlers, reserved concurrency, and asynchronous invocations.

Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": two retries,
after one and two minutes, with the same request id; throttled events go back to the queue until they are too old; an
event can arrive more than once.
"""

from __future__ import annotations

import json
import random
import re
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.soak.history import Invocation, arming_of
from tests.soak.sdk import Killed, builtins_of, error_text, parsed

if TYPE_CHECKING:
    from tests.soak.world import World

COLD_START_S = 0.3
ASYNC_WAITS_S = (60, 120)
LONGEST_THROTTLE_WAIT_S = 300
Ended = Callable[[Invocation], None]


class Function:
    """One function of the template."""

    def __init__(self, name: str, properties: dict[str, Any], text: str, invoke_config: dict[str, Any] | None) -> None:
        variables = properties["Environment"]["Variables"]
        self.name = name
        self.code = compile(text, f"{name}/index.py", "exec")
        self.variables = {key: _resolved(value) for key, value in variables.items()}
        self.timeout_s: int = properties["Timeout"]
        self.reserved: int = properties.get("ReservedConcurrentExecutions", 1000)
        self.retries: int = (invoke_config or {}).get("MaximumRetryAttempts", 2)
        self.max_event_age_s: int = (invoke_config or {}).get("MaximumEventAgeInSeconds", 21_600)


def _resolved(value: Any) -> Any:
    match value:
        case {"Ref": name}:
            return name
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{(\w+)\}", r"\1", text)
    return value


class Instance:
    """A warm instance: the handler's module, the clock's skew and the invocation that it runs."""

    def __init__(self, world: World, function: Function, skew_s: float) -> None:
        self.world, self.function, self.skew_s = world, function, skew_s
        self.namespace: dict[str, Any] | None = None
        self.running: Invocation
        self.is_ready = False
        """Whether it has answered a webhook, and so has read the keys."""

    def wait(self, seconds: float) -> None:
        """Let time pass. Lambda kills an invocation that takes longer than its timeout."""
        scheduler, deadline = self.world.scheduler, self.running.deadline
        if scheduler.now + seconds >= deadline:
            scheduler.wait(deadline - scheduler.now)
            self.running.fates.append("timed out")
            raise Killed
        scheduler.wait(seconds)

    def log(self, line: str) -> None:
        """Take a line that the handler prints. A killed instance prints no more."""
        if self.running.outcome == "running":
            self.running.lines.append(parsed(line))
            self.world.history.log.append(line)
            self.world.judge_line(self.running, self.running.lines[-1])

    def shuffle(self, several: list[Any]) -> None:
        """Bring a list of the handler into an order that the seed decides."""
        choices, key = self.world.choices, ("shuffle", self.running.name, self.running.calls)
        number = choices.draw(key, None, 0.5, lambda random: random.randrange(1000))
        if number is not None:
            random.Random(number).shuffle(several)

    def run(self, event: dict[str, Any]) -> Any:
        """Run the handler, after a cold start if this is its first invocation."""
        if self.namespace is None:
            self.wait(COLD_START_S)
            self.namespace = {"__name__": "index", "__builtins__": builtins_of(self, self.function.variables)}
            exec(self.function.code, self.namespace)
        running, scheduler = self.running, self.world.scheduler
        context = types.SimpleNamespace(
            function_name=self.function.name,
            aws_request_id=running.request_id,
            get_remaining_time_in_millis=lambda: int((running.deadline - scheduler.now) * 1000),
        )
        return self.namespace["handler"](event, context)


class Lambda:
    """The functions of the stack, their warm instances and the queue of asynchronous events."""

    def __init__(self, world: World, functions: dict[str, Function]) -> None:
        self._world, self._functions = world, functions
        self._idle: dict[str, list[Instance]] = {name: [] for name in functions}
        self._running = dict.fromkeys(functions, 0)

    def invoke(self, name: str, event: dict[str, Any], request_id: str, label: str, ended: Ended) -> None:
        """Start an invocation, and call `ended` with it when it has ended or if it is throttled."""
        function, scheduler = self._functions[name], self._world.scheduler
        now = scheduler.now
        invocation = Invocation(label, name, request_id, event, now, now + function.timeout_s)
        if name == "SendNotificationFunction":
            invocation.arming = arming_of(json.loads(event["Records"][0]["Sns"]["Message"]))
        if self._running[name] >= function.reserved:
            invocation.outcome = "throttled"
            scheduler.later(0, lambda: ended(invocation))
            return
        self._running[name] += 1
        self._world.history.invocations.append(invocation)
        instance = self._instance(function, label)
        instance.running = invocation
        invocation.was_ready = instance.is_ready
        scheduler.start(0, lambda: self._run(instance, ended))

    def _instance(self, function: Function, label: str) -> Instance:
        choices, idle = self._world.choices, self._idle[function.name]
        is_cold = choices.draw(("cold", label), False, choices.rate("cold", 0.3), lambda _: True)
        if idle and not is_cold:
            return idle.pop()
        skew_s = choices.draw(("skew", label), 0.0, choices.rate("skew", 0.5), lambda r: r.uniform(-3, 3))
        return Instance(self._world, function, skew_s)

    def _run(self, instance: Instance, ended: Ended) -> None:
        invocation, name = instance.running, instance.function.name
        try:
            invocation.answer = instance.run(invocation.event)
            invocation.outcome = "ok"
            if name == "ProcessWebhookFunction" and invocation.answer["statusCode"] < 300:
                instance.is_ready = True
        except Killed:
            invocation.outcome = "killed"
        except Exception as error:
            invocation.outcome = "error"
            text = error_text(error)
            self._world.history.log.append(text)
            self._world.note(f"{invocation.name}: {text}")
        if invocation.outcome != "killed":
            self._idle[name].append(instance)
        self._world.note(f"{invocation.name}: {invocation.outcome}")
        self._running[name] -= 1
        ended(invocation)

    def invoke_later(self, name: str, event: dict[str, Any], label: str) -> None:
        """Queue an event for a function."""
        choices = self._world.choices
        copies = choices.draw(("event copies", label), 1, choices.rate("event copies", 0.1), lambda _: 2)
        for copy in range(copies):
            delay_s = choices.draw(("event delay", label, copy), 0.02, choices.rate("delay", 0.5), _delay)
            attempt = _Attempt(self, self._world, self._functions[name], event, f"{label} copy {copy}", label)
            self._world.scheduler.later(delay_s, attempt.start)


class _Attempt:
    """An event in the queue, until a function has taken it or it has failed for good."""

    def __init__(
        self, owner: Lambda, world: World, function: Function, event: dict[str, Any], label: str, request_id: str
    ) -> None:
        self._owner, self._world, self._function = owner, world, function
        self._event, self._label, self._request_id = event, label, request_id
        self._queued_at, self._tries, self._throttles = world.scheduler.now, 0, 0

    def start(self) -> None:
        if self._world.scheduler.now - self._queued_at > self._function.max_event_age_s:
            self._fail()
            return
        label = f"{self._label} try {self._tries + self._throttles}"
        self._owner.invoke(self._function.name, self._event, self._request_id, label, self._ended)

    def _ended(self, invocation: Invocation) -> None:
        if invocation.outcome == "ok":
            return
        if invocation.outcome == "throttled":
            self._throttles += 1
            self._world.scheduler.later(min(2**self._throttles, LONGEST_THROTTLE_WAIT_S), self.start)
        elif self._tries < self._function.retries:
            self._world.scheduler.later(ASYNC_WAITS_S[self._tries], self.start)
            self._tries += 1
        else:
            self._fail()

    def _fail(self) -> None:
        self._world.note(f"{self._label}: to the failure queue")
        self._world.history.failed_messages.append(self._event)


def _delay(random: Any) -> float:
    return float(random.choice((0.0, random.uniform(0, 1), random.uniform(0, 60), random.uniform(0, 600))))
