"""The Exporter dashboard on the process itself."""

from exporter.metrics.table import BUILD_INFO
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import target
from exporter.mixin.dashboards.visualizations import timeseries

# Every process exposes these names: only those that are exporters of ours count.
OURS = f"and on (job, instance) {target(BUILD_INFO.name)}"
NOT_HERE = "Not available on this platform"


def _by_instance(
    title: str, description: str, *queries: tuple[str, str], unit: str, axis: str = "", width: int = 6
) -> Panel:
    return timeseries(
        Text(title, description, NOT_HERE),
        [Query(f"{expr} {OURS}", f"{{{{instance}}}}{suffix}") for expr, suffix in queries],
        unit=unit,
        axis=axis,
        width=width,
    )


def section() -> Section:
    """CPU, memory, files and garbage."""
    cpu = f"rate({target('process_cpu_seconds_total')}[$__rate_interval])"
    collections = f"sum by (job, instance) (rate({target('python_gc_collections_total')}[$__rate_interval]))"
    return Section(
        "Process",
        [
            [
                _by_instance(
                    "CPU",
                    "Share of one core. A refresh costs milliseconds; worry when it nears a core: Python uses "
                    "only one.",
                    (cpu, ""),
                    unit="percentunit",
                ),
                _by_instance(
                    "Memory",
                    "Resident memory. It follows the live items; worry at a climb that no backlog explains.",
                    (target("process_resident_memory_bytes"), ""),
                    unit="bytes",
                ),
                _by_instance(
                    "Open files",
                    "File descriptors, as a share of the process' limit. Each connection is one; worry above 80 %.",
                    (f"{target('process_open_fds')} / {target('process_max_fds')}", ""),
                    unit="percentunit",
                ),
                _by_instance(
                    "Garbage collections",
                    "Runs of Python's collector per second, all generations. It follows the load; worry only "
                    "together with CPU.",
                    (collections, ""),
                    unit="ops",
                ),
            ]
        ],
    )
