"""The committed template running on this machine: an emulator, the deployed system, a sender and a demonstration."""
