"""Hashing: a picture or video becomes the hashes partners match, equal to those of the mini-app."""
