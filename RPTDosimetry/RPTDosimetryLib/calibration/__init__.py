"""Bringing images to activity at scan time, and checking that they can be."""
