"""Keys: seals what is kept, names what is looked up, makes what is random. Imports `cryptography`."""
