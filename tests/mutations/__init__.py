"""Breaks the program on purpose, one rule at a time, and demands that a test notices."""
