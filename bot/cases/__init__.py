"""Cases: who may register what, how a case is named, how a hash lives, and what may be told to whom. Pure rules."""
