"""Sala: a chat front door for people whose intimate images are being spread."""
