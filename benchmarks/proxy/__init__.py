"""Choosing settings without a test set: pseudo-anomalies of known kind on normal clips, and generated cameras.

cutouts: walkers cut out of normal clips.  actors: who moves how.  composites: clips with actors painted in.
footage: what is fitted and tested.  harness: (candidate, footage, seed) -> scores.  report: tables and the check.
"""
