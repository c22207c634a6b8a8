"""The page that makes hashes on the person's own device, and the one address it posts them to."""
