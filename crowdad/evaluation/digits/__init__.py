"""The experiments on MNIST and USPS: their settings, auto-encoders and purification."""
