"""Follow every pending trade: the loop behind `watch`, its threads, and what it decides."""
