"""Absorbed dose from time-integrated activity: one engine a file, found through a registry."""
