"""Readers of measured runs: one file each, registered by name."""
