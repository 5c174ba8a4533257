"""Simulate a template under a workload by discrete events, independently of the formulas that sized it.

topology     template -> functions, their event sources and limits
workload     arrival rates and arrival times; trace reads recorded ones
network      topology and environment -> connected stages: gateway, functions, stream
limits       token buckets, quotas and pools
draws        random numbers
replication  one run of a network, or all of them on all processors
result       all runs -> document, verdicts (targets, statistics) and chart; report prints it
engine       `simulate`, which does all of this
coverage     the settings that affect a simulation, and the parts of a template that it leaves out
"""

from generator.simulation.engine import simulate
from generator.simulation.report import as_text
from generator.simulation.result import SimulationResult
from generator.simulation.topology.model import Topology
from generator.simulation.topology.reading import read_topology

__all__ = ["SimulationResult", "Topology", "as_text", "read_topology", "simulate"]
