"""Faults made on purpose: real processes, real kills, real full disks. `python -m tests.faults` runs the full counts."""
