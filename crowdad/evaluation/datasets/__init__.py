"""Data sets: samples and ground truth, one file each; nothing is imported here, since some members need torch.

catalogue: every data set of footage by name.
ucsd: UCSD Ped1 and Ped2, clips of a walkway.  kinds: what is unusual in their test clips, by eye.
avenue: CUHK Avenue.  shanghaitech: ShanghaiTech Campus, thirteen cameras.
digits: MNIST and USPS, handwritten digits.
generated: drawn crowds with known anomalies.
"""
