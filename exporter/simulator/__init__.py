"""A simulated Qoder work API: the same routes, objects and errors over HTTP, served from memory.

    simulation = Simulation(clock=ManualClock(), seed=1)
    environment_id = simulation.create_environment("gpu-workers")
    work_id = simulation.create_work(environment_id, state="active")
    simulation.create_history(environment_id, 1000)

    async with SimulatorServer(simulation) as server:  # or: with SimulatorThread(simulation) as server
        ...  # clients use server.base_url and DEFAULT_TOKEN
        simulation.faults.add(Status(status=503, endpoint="list", count=2))
        simulation.clock.advance(60)
        simulation.force(environment_id, work_id, "queued")
        assert simulation.truth(environment_id).counts["queued"] == 1

What the documentation leaves open is an option of `Options`. `create_app` gives the bare ASGI application.
"""

from .app import BASE_PATH, create_app
from .clock import Clock, ManualClock, RealClock
from .faults import AnyFault, Fault, Faults, Garbage, Latency, Reset, Status, Truncate
from .history import Life
from .item import STATES
from .options import Options
from .server import SimulatorServer, SimulatorThread
from .simulation import DEFAULT_TOKEN, Simulation, Times
from .traffic import EndpointTraffic, Exchange, Traffic
from .truth import TrueItem, Truth

__all__ = [
    "BASE_PATH",
    "DEFAULT_TOKEN",
    "STATES",
    "AnyFault",
    "Clock",
    "EndpointTraffic",
    "Exchange",
    "Fault",
    "Faults",
    "Garbage",
    "Latency",
    "Life",
    "ManualClock",
    "Options",
    "RealClock",
    "Reset",
    "Simulation",
    "SimulatorServer",
    "SimulatorThread",
    "Status",
    "Times",
    "Traffic",
    "TrueItem",
    "Truncate",
    "Truth",
    "create_app",
]
