"""Who may register what, how a case is named, how a hash lives, what may be told. Pure rules."""
