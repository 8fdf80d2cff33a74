"""The commands: parse, call a service, render."""
