"""The auto-encoders, one a file, over the unit-norm code of `_base.py`."""

from crowdad.encoders._base import AutoEncoder
from crowdad.encoders.conv2d import Conv2dAutoEncoder
from crowdad.encoders.conv3d import Conv3dAutoEncoder
from crowdad.encoders.dense import DenseAutoEncoder

__all__ = ["AutoEncoder", "Conv2dAutoEncoder", "Conv3dAutoEncoder", "DenseAutoEncoder"]
