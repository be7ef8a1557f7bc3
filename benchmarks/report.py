"""Reports the measurements as tables, as a chart, and as figures."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import require_generator
from scripts.new import ROOT

RESULT = ROOT / "benchmarks/result.json"
CHART = ROOT / "docs/images/performance.svg"
# Of a page, what lies between these two is written by `keep`.
FIGURES = ("<!-- figures -->\n", "<!-- end of figures -->\n")

# A load generator that takes nearly a core may be what is slow.
SATURATED = 0.9
PACKAGES = ("fastapi", "starlette", "pydantic", "sqlalchemy", "asyncpg", "uvicorn", "uvloop")


def environment(python: Path) -> dict[str, str]:
    """Returns the versions that this Python has of the packages, the load generator, and the machine."""
    versions = (
        "import json, platform; from importlib.metadata import version; "
        f"print(json.dumps({{name: version(name) for name in {PACKAGES}}} | {{'python': platform.python_version()}}))"
    )
    told = subprocess.run([python, "-c", versions], capture_output=True, text=True, check=True).stdout
    return {
        **json.loads(told),
        "load generator": require_generator(),
        "cores": str(os.cpu_count()),
        "machine": platform.machine(),
    }


def text(result: Mapping[str, Any]) -> str:
    """Markdown."""
    parts = [
        ", ".join(f"{name} {value}" for name, value in result["environment"].items()),
        table(SIDE_BY_SIDE, side_by_side(result["requests"])),
        f"Start-up to the first response: {result['startup_seconds']:.1f} s. "
        f"Memory of a worker after all that: {result['memory_megabytes']['backend']:.0f} MB "
        f"(bare {result['memory_megabytes']['bare']:.0f} MB, limit {result['memory_megabytes']['limit']:.0f} MB).",
    ]
    if "connections" in result:
        parts += [
            table(
                ("connections", "backend: requests/s", "p99 ms", "bare: requests/s", "p99 ms"),
                (
                    (count, *(f"{app[figure]:,.0f}" for app in apps.values() for figure in ("rate", "p99")))
                    for count, apps in result["connections"].items()
                ),
            )
        ]
    if "users" in result:
        queries = list(next(iter(result["users"].values())))
        parts += [
            table(
                ("users", *(f"{query}: ms" for query in queries)),
                ((f"{int(users):,}", *(f"{took[q]:.1f}" for q in queries)) for users, took in result["users"].items()),
            )
        ]
    for what in ("routes", "workers"):
        if what in result:
            figures = list(next(iter(result[what].values())))
            rows = ((count, *(f"{taken[f]:,.0f}" for f in figures)) for count, taken in result[what].items())
            parts += [table((what, *(TITLES[figure] for figure in figures)), rows)]
    return "\n\n".join(parts)


TITLES = {"rate": "requests/s", "cpu": "CPU us/request", "p99": "p99 ms"}
SIDE_BY_SIDE = ("request", "app", "requests/s", "p50 ms", "p99 ms", "CPU us/request", "backend's ratio to it")


def side_by_side(requests: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yields a row for each request and app, with the columns of `SIDE_BY_SIDE`."""
    for name, measured in requests.items():
        for app, figures in measured["apps"].items():
            ratios = measured["ratios"].get(app)
            yield (
                name,
                app,
                f"{figures['rate']:,.0f}" + (" (client)" if figures["client_cores"] > SATURATED else ""),
                f"{figures['p50']:.1f}",
                f"{figures['p99']:.1f}",
                f"{figures['cpu']:,.0f}",
                f"**{median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f})" if ratios else "",
            )


def table(titles: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    """Returns a table in Markdown, with the first column to the left and the others to the right."""
    lines = [titles, ["---"] + ["--:"] * (len(titles) - 1), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def ratios(result: Mapping[str, Any]) -> str:
    """Returns the ratios, which carry over to other machines, as Markdown."""
    titles = ("request", "ratio to bare app", "ratio to limit", "p99 ratio to bare app")
    rows = (
        (
            name,
            *(f"{median(measured['ratios'][app]):.2f}" for app in ("bare", "limit")),
            f"{measured['apps']['backend']['p99'] / measured['apps']['bare']['p99']:.2f}",
        )
        for name, measured in result["requests"].items()
    )
    return table(titles, rows)


PAGES = {ROOT / "benchmarks/README.md": text, ROOT / "docs/performance.md": ratios}


def with_figures(page: str, figures: str) -> str:
    """Returns the page with the figures between the marks `FIGURES`, in place of what was there."""
    begin, end = FIGURES
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{figures}\n\n{end}{rest.partition(end)[2]}"


def keep(result: Mapping[str, Any]) -> None:
    """Writes the result, the figures in the pages, and the chart."""
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for page, figures in PAGES.items():
        page.write_text(with_figures(page.read_text(encoding="utf-8"), figures(result)), encoding="utf-8")
    draw(result["requests"])
    print(f"Kept in {', '.join(str(path.relative_to(ROOT)) for path in (RESULT, CHART, *PAGES))}.")


def draw(requests: Mapping[str, Any]) -> None:
    """Draws the requests per second of each app, relative to the bare one."""
    import matplotlib as mpl  # noqa: PLC0415 (only a result that is kept needs it)

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "strata"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    names = [name for name in requests if name != "login"]
    for index, (app, color) in enumerate({"backend": "#00796b", "bare": "#9e9e9e"}.items()):
        rates = [requests[name]["apps"][app]["rate"] / requests[name]["apps"]["bare"]["rate"] for name in names]
        bars = axes.bar([place + 0.38 * index for place in range(len(names))], rates, 0.36, label=app, color=color)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.set_xticks([place + 0.19 for place in range(len(names))], names)
    axes.set_ylabel("requests a second,\nbare FastAPI = 1")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    CHART.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(CHART, metadata={"Date": None})
