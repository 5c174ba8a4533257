"""Read the topology of a template: its functions, their event sources, and the limits on the way to them.

model          the topology as data
reading        `read_topology`, which reads every resource that matters to a simulation
functions      functions, and the access that their roles grant
api_gateway    methods, usage plans, stages and gateway responses
event_sources  streams, subscriptions and schedules
resources      shared helpers: read resources by type, and note those that are left out
"""
