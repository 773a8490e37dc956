"""Tubes to heat to events: frames in, results out, in bounded memory."""
