"""Honest numbers: protocols, metrics, data sets, ablations and the experiments on digits."""
