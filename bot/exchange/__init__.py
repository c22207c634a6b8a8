"""Exchange: what partners speak. They read the lists and answer, in StopNCII's protocol."""
