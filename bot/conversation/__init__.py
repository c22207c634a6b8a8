"""The conversation: a value and a pure step over it. No clock, chance, disk, network or logging."""
