"""Time that each handler adds to a cold start, on top of importing boto3 and creating the same clients.

Run: python benchmarks/cold_start.py. Each figure is the median over fresh interpreters; the target is below 5 ms.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 15
CLIENTS = {
    "ProcessWebhookFunction": ("dynamodb", "secretsmanager"),
    "CheckAlertsFunction": ("dynamodb", "sns"),
    "SendNotificationFunction": ("dynamodb", "sns"),
    "CleanupHistoryFunction": ("dynamodb",),
}
TEMPLATE = json.loads((Path(__file__).parent.parent / "templates_out/prod.json").read_text())
MEASURE = """
import sys, time
text = sys.stdin.read()
import boto3, botocore.config, botocore.exceptions
for name in sys.argv[1].split(","):
    boto3.client(name, config=botocore.config.Config(connect_timeout=1, read_timeout=2))
code = compile(text, "index.py", "exec")
clients, boto3.client = 0.0, boto3.client
make = boto3.client
def counted(*a, **k):
    global clients
    started = time.perf_counter()
    try:
        return make(*a, **k)
    finally:
        clients += time.perf_counter() - started
boto3.client = counted
started = time.perf_counter()
exec(code, {"__name__": "index"})
print((time.perf_counter() - started - clients) * 1000)
"""


def main() -> None:
    """Print one line for each handler."""
    print(f"Python {platform.python_version()} on {platform.machine()}, median of {RUNS}")
    for function, clients in CLIENTS.items():
        properties = TEMPLATE["Resources"][function]["Properties"]
        text = "\n".join(properties["Code"]["ZipFile"]["Fn::Join"][1])
        variables = {k: v if isinstance(v, str) else "name" for k, v in properties["Environment"]["Variables"].items()}
        environ = {**os.environ, **variables, "AWS_DEFAULT_REGION": "us-east-1"}
        command = [sys.executable, "-c", MEASURE, ",".join(clients)]
        times_ms = [
            float(subprocess.run(command, input=text, env=environ, capture_output=True, text=True, check=True).stdout)
            for _ in range(RUNS)
        ]
        print(f"{function:<26} {statistics.median(times_ms):6.2f} ms")


if __name__ == "__main__":
    main()
