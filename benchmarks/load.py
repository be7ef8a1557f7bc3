"""Sends one request over many connections with a load generator: wrk, or else autocannon."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import perf_counter, time_ns
from typing import Any

import psutil

CONNECTIONS = 32

WRK_SCRIPT = """
wrk.method = {method}
wrk.body = {body}
{headers}
local paths, number = {paths}, {start}
request = function()
  number = number + 1
  {keyed}
  local body = wrk.body and string.gsub(wrk.body, "%[<id>%]", number)
  return wrk.format(nil, paths[number % #paths + 1], nil, body)
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('{{"requests": %d, "failed": %d, "seconds": %f, "p50": %f, "p99": %f}}',
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Call:
    """A request; `path` begins after the address.

    `[<id>]` in the body is another number each time, and so is the header that `numbered` names, with one that no
    earlier run had. Only wrk does this: autocannon announces a longer body than it then sends.
    """

    path: str
    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    # More paths, which wrk takes in turn.
    others: Sequence[str] = ()
    numbered: str = ""

    @property
    def varies(self) -> bool:
        """Returns whether each request differs from the one before."""
        return bool(self.numbered) or "[<id>]" in self.body


@dataclass(frozen=True)
class Load:
    """The result: latencies in milliseconds, and the share of one core that the load generator itself used."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float
    client_cores: float

    @property
    def rate(self) -> float:
        """Returns the successful requests per second."""
        return (self.requests - self.failed) / self.seconds


def drive(address: str, call: Call, *, seconds: int, connections: int = CONNECTIONS) -> Load:
    """Sends the call for that many seconds, to an address without a path. Raises CalledProcessError if that fails."""
    generate = _wrk if shutil.which("wrk") else _autocannon
    before, start = _children_cpu(), perf_counter()
    counted = generate(address + call.path, call, seconds, connections)
    return Load(**counted, client_cores=(_children_cpu() - before) / (perf_counter() - start))


def require_generator() -> str:
    """Returns the name of the load generator. Raises SystemExit with one sentence if there is none."""
    for program in ("wrk", "npx"):
        if shutil.which(program):
            return "wrk" if program == "wrk" else "autocannon"
    sys.exit("There is nothing to make load with: install wrk (apt-get install wrk), or Node, which brings npx.")


def _wrk(url: str, call: Call, seconds: int, connections: int) -> dict[str, Any]:
    headers = "\n".join(f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in call.headers.items())
    script = WRK_SCRIPT.format(
        method=_lua(call.method),
        body=_lua(call.body) if call.body else "nil",
        headers=headers,
        start=time_ns() // 1000,
        keyed=f"wrk.headers[{_lua(call.numbered)}] = string.format('%d', number)" if call.numbered else "",
        paths="{" + ", ".join(_lua(path) for path in (call.path, *call.others)) + "}",
    )
    with NamedTemporaryFile("w", suffix=".lua") as file:
        Path(file.name).write_text(script, encoding="utf-8")
        printed = _run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", file.name, url)
    return json.loads(printed[printed.index("{") :])  # type: ignore[no-any-return]


def _autocannon(url: str, call: Call, seconds: int, connections: int) -> dict[str, Any]:
    options = ["--json", "--connections", str(connections), "--duration", str(seconds), "--timeout", "20"]
    options += ["--method", call.method, *(["--body", call.body] if call.body else [])]
    options += [part for header in call.headers.items() for part in ("--headers", "=".join(header))]
    told = json.loads(_run("npx", "--yes", "autocannon@8", *options, url))
    return {
        "requests": told["requests"]["total"],
        "failed": told["non2xx"] + told["errors"],
        "seconds": told["duration"],
        "p50": told["latency"]["p50"],
        "p99": told["latency"]["p99"],
    }


def _lua(text: str) -> str:
    return json.dumps(text)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _children_cpu() -> float:
    times = psutil.Process().cpu_times()
    return times.children_user + times.children_system
