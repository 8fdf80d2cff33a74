"""Hold the store against the venue: the light and the deep pass, and what their steps share."""
