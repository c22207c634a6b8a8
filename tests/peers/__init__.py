"""The platforms' own documents, and peers on the loopback that hold us to them."""
