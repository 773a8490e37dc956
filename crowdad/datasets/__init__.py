"""Data sets: samples and ground truth, one file each; nothing is imported here, since some members need torch.

ucsd: UCSD Ped1 and Ped2, clips of a walkway.
digits: MNIST and USPS, handwritten digits.
generated: drawn crowds with known anomalies.
"""
