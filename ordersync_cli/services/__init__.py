"""The use cases: place, track, reconcile, alert, report; they see ports, never adapters."""
