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

Scenarios are ready-made accounts with workers at work:

    async with play(set_up("demo")) as server:
        ...

What the documentation leaves open is an option of `Options`. `create_app` gives the bare ASGI application.
"""

from exporter.simulator.actors import Actor, acting
from exporter.simulator.app import BASE_PATH, create_app
from exporter.simulator.clock import Clock, ManualClock, RealClock
from exporter.simulator.faults import AnyFault, Fault, Faults, Garbage, Latency, Reset, Status, Truncate
from exporter.simulator.history import Life
from exporter.simulator.item import STATES
from exporter.simulator.options import Options
from exporter.simulator.producers import BurstProducer, Operator, SteadyProducer
from exporter.simulator.scenario import SCENARIOS, Scenario, play, set_up
from exporter.simulator.server import SimulatorServer, SimulatorThread
from exporter.simulator.simulation import Simulation, Times
from exporter.simulator.tokens import DEFAULT_TOKEN
from exporter.simulator.traffic import EndpointTraffic, Exchange, Traffic
from exporter.simulator.truth import TrueItem, Truth
from exporter.simulator.workers import EAGER, PATIENT, Holding, Profile, Worker

__all__ = [
    "BASE_PATH",
    "DEFAULT_TOKEN",
    "EAGER",
    "PATIENT",
    "SCENARIOS",
    "STATES",
    "Actor",
    "AnyFault",
    "BurstProducer",
    "Clock",
    "EndpointTraffic",
    "Exchange",
    "Fault",
    "Faults",
    "Garbage",
    "Holding",
    "Latency",
    "Life",
    "ManualClock",
    "Operator",
    "Options",
    "Profile",
    "RealClock",
    "Reset",
    "Scenario",
    "Simulation",
    "SimulatorServer",
    "SimulatorThread",
    "Status",
    "SteadyProducer",
    "Times",
    "Traffic",
    "TrueItem",
    "Truncate",
    "Truth",
    "Worker",
    "acting",
    "create_app",
    "play",
    "set_up",
]
