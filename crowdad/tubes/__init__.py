"""Frames to motion to tubes: what moves, how large people are, and patches that follow it through time."""
