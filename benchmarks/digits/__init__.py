"""The tables of the L2 paper on MNIST and USPS, DUAD beside them, and what lies past the paper."""
