"""The page of `generator explore` shows the figures of `generator size`, to the browser of this user alone."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import Result

from generator import plans
from generator.config import files
from generator.errors import GeneratorError, InvalidEnvironment
from generator.report import explore, explore_server
from generator.report.explore_server import PAGE, Server

Run = Callable[..., Result]

CHANGED = ["traffic.webhooks_per_hour=20000", "functions.process_webhook.mean_duration_ms=210"]


@pytest.fixture
def server(project: Path) -> Iterator[Server]:
    with Server("prod") as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to one request."""
    connection = http.client.HTTPConnection(server.host, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return found


def answered(server: Server, name: str, changes: list[str]) -> Any:
    path = f"/{server.secret}/{name}?{urlencode([('set', change) for change in changes])}"
    status, headers, body = ask(server, path)
    assert headers["content-type"] == "application/json; charset=utf-8"
    return status, json.loads(body)


def test_an_answer_has_the_figures_of_generator_size(server: Server, generator: Run) -> None:
    status, found = answered(server, "answer.json", CHANGED)
    options = [word for change in CHANGED for word in ("--set", change)]
    scaled = ["--set", "functions.process_webhook.p95_duration_ms=500"]
    assert status == 200
    assert found["size"] == json.loads(generator("size", "prod", *options, *scaled, "--format", "json").stdout)
    assert found["command"].split()[3:] == [*options, *scaled]
    assert sum(part["count"] for part in found["quota"]) == 1000
    assert (found["fits"], found["missed"]) == (True, [])
    assert not found["refusal"]


def test_without_changes_the_cost_is_that_of_the_review_page(server: Server) -> None:
    _, found = answered(server, "answer.json", [])
    assert f"| Monthly cost | **{found['cost'].split(';')[0]}**" in Path("templates_out/prod.md").read_text()
    assert sum(float(one["usd"]) for one in found["services"]) == pytest.approx(float(found["total_usd"]))
    assert found["toml"] == ""


def test_the_lines_to_copy_are_the_changed_settings(server: Server) -> None:
    _, found = answered(server, "answer.json", [*CHANGED, "traffic.peak_factor=3.5"])
    lines = found["toml"]
    assert tomllib.loads(lines) == {
        "traffic": {"webhooks_per_hour": 20_000, "peak_factor": 3.5},
        "functions": {"process_webhook": {"mean_duration_ms": 210, "p95_duration_ms": 500}},
    }
    assert lines.count("[traffic]") == 1


def test_the_staircase_passes_through_the_reservations_of_the_environment(server: Server) -> None:
    _, found = answered(server, "staircase.json", [])
    _, now = answered(server, "answer.json", [])
    for name, function in now["size"]["functions"].items():
        assert found["reserved"][name][found["rates"].index(50_000)] == function["reserved_concurrency"]
    assert found["reservable"] == 900


def test_every_slider_has_the_own_value_and_positions_that_the_schema_accepts(project: Path) -> None:
    (own,) = files.load_named(["prod"])
    for slider in explore.start("prod")["sliders"]:
        values = slider["values"]
        assert values == sorted(set(values))
        assert values[slider["own"]] == attrgetter(slider["key"])(own)
        assert len(values) == len(slider["shown"]) <= 62
        for value in (values[0], values[-1]):
            try:
                plans.prepare(["prod"], explore._overrides(own, [f"{slider['key']}={value}"]))
            except InvalidEnvironment:
                raise
            except GeneratorError:
                assert slider["label"] != "Rate"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("traffic.webhooks_per_hour=1", "--set traffic.webhooks_per_hour: 1 is below the minimum of 100"),
        ("traffic.peak_factor=nine", "--set traffic.peak_factor: "),
        ("name=other", "name: no slider has this setting; use generator size --set"),
        ("traffic", "--set traffic: not KEY=VALUE"),
        ("functions.process_webhook.mean_duration_ms=nan", "--set functions.process_webhook.mean_duration_ms: "),
        ("account.concurrency_limit=<script>", "--set account.concurrency_limit: "),
    ],
)
def test_a_wrong_value_is_answered_with_its_fault(server: Server, change: str, fault: str) -> None:
    status, found = answered(server, "answer.json", [change])
    assert status == 400
    (line,) = found["faults"]
    assert line.startswith(fault)


def test_only_the_browser_of_this_user_gets_an_answer(server: Server) -> None:
    path = f"/{server.secret}/"
    assert ask(server, path)[0] == 200
    assert ask(server, path, Origin=f"http://{server.host}", Sec_Fetch_Site="same-origin")[0] == 200
    assert ask(server, path, Host="example.com")[0] == 403
    assert ask(server, path, Host=f"localhost:{server.server_address[1]}")[0] == 403
    assert ask(server, path, Origin="http://example.com")[0] == 403
    assert ask(server, path, Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(server, "/")[0] == 404
    assert ask(server, f"/{server.secret[:-1]}/answer.json")[0] == 404
    assert ask(server, f"/{server.secret}/../setup.cfg")[0] == 404
    assert ask(server, path, "POST")[0] == 501


def test_every_answer_has_a_policy_that_allows_the_page_alone(server: Server) -> None:
    for path in (f"/{server.secret}/", f"/{server.secret}/start.json", "/nothing"):
        headers = ask(server, path)[1]
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy
        assert "access-control-allow-origin" not in headers
        assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")
        assert "python" not in headers["server"].lower()


class Tags(HTMLParser):
    """The elements, ids, attributes and texts of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.names: list[str] = []
        self.texts: list[str] = []
        self.attributes: set[str] = set()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id" and value]


def test_the_page_needs_nothing_from_elsewhere_and_finds_its_own_parts() -> None:
    text = PAGE.decode()
    tags = Tags()
    tags.feed(text)
    assert not tags.attributes & {"src", "href", "style", "onclick", "oninput"}
    assert re.findall(r"https?://[^\"'` )]+", text) == ["http://www.w3.org/2000/svg"]
    assert len(tags.ids) == len(set(tags.ids))
    assert set(re.findall(r'by\("(\w+)"\)', text)) <= set(tags.ids)
    assert "innerHTML" not in text


def test_the_command_prints_the_address_and_opens_it(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Server, "serve_forever", stop)
    result = generator("explore")
    assert (result.exit_code, result.stderr) == (0, "stopped\n")
    assert re.match(r"dev: http://127\.0\.0\.1:\d+/[\w-]{32}/\n", result.stdout)
    assert opened == [result.stdout.split()[1]]
    assert generator("explore", "prod", "--no-browser").exit_code == 0
    assert len(opened) == 1


def test_a_port_that_is_taken_is_reported(generator: Run, server: Server) -> None:
    port = str(server.server_address[1])
    result = generator("explore", "prod", "--no-browser", "--port", port)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"--port {port}: 127.0.0.1 cannot listen there (Address already in use)")


def dumped(server: Server) -> str:
    """Return the page as Chromium has it after its requests."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]
    command = ["chromium", *options, server.url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_browser_shows_the_figures(server: Server) -> None:
    document = dumped(server)
    assert "<strong>37 reserved</strong>" in document
    assert "✓ fits the account" in document
    assert "358.44 USD without SMS" in document
    assert document.count('type="range"') == len(explore.SLIDERS)
    assert re.search(r'<path d="M[^"]+H[^"]+V', document)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_browser_shows_names_as_text(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"

    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: value if key == "key" else marked(value) for key, value in value.items()}
        if isinstance(value, list | tuple):
            return [marked(item) for item in value]
        return value + evil if isinstance(value, str) else value

    def marking(answer: explore_server.Answer) -> explore_server.Answer:
        return lambda environment, changes: marked(answer(environment, changes))

    answers = {name: marking(answer) for name, answer in explore_server.ANSWERS.items()}
    monkeypatch.setattr(explore_server, "ANSWERS", answers)
    tags = Tags()
    tags.feed(dumped(server))
    assert "img" not in tags.names
    assert tags.names.count("script") == 1
    assert {evil in text for text in tags.texts} == {True, False}


@pytest.mark.parametrize("value", ["nan", "-inf", "2026-01-01", "true", "[1]", "9" * 900, "text"])
@pytest.mark.parametrize("key", ["traffic.webhooks_per_hour", "functions.process_webhook.mean_duration_ms"])
def test_a_value_that_no_slider_can_have_is_a_fault(server: Server, key: str, value: str) -> None:
    status, found = answered(server, "answer.json", [f"{key}={value}"])
    assert status == 400
    assert found["faults"]


def test_a_request_without_a_path_is_answered(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10) as connection:
        connection.sendall(f"GET http://[ HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.0 404 ")


def test_a_browser_that_goes_away_prints_nothing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ConnectionResetError
    except ConnectionResetError:
        server.handle_error(None, server.server_address)
    assert capsys.readouterr().err == ""
