"""What a scrape costs: the exporter and a pager written with the official client, side by side on one simulated API.

    python -m benchmarks --quick
    python -m benchmarks --write docs/performance.md

Every program runs in a process of its own and is measured from outside: requests and bytes by the simulated API's own
record, CPU time and memory by the operating system. Linux only.
"""
