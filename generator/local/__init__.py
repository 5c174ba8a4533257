"""Run the committed template on this machine: an emulator, the deployed system, and a demonstration."""
