"""Tries a template under a workload by discrete events, independently of the formulas that sized it.

template -> topology -> network (with an environment) -> replications -> result. The stages of the network are
`gateway`, `function`, `stream` and `asynchronous`; `kernel` moves the clock, `assumptions` holds what AWS does not say.
"""

from generator.simulation.assumptions import Assumptions
from generator.simulation.engine import simulate
from generator.simulation.report import as_text
from generator.simulation.result import Result
from generator.simulation.topology import Topology, read_topology
from generator.simulation.trace import fit_trace

__all__ = ["Assumptions", "Result", "Topology", "as_text", "fit_trace", "read_topology", "simulate"]
