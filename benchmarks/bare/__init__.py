"""The parts of the bare troposphere script, which knows nothing of the generator."""
