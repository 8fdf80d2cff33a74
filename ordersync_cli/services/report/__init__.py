"""Prove it: what the store can show of a window."""
