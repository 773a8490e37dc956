"""The auto-encoders, one a file, over the unit-norm code of `_base.py`."""

from crowdad.encoders._base import AutoEncoder
from crowdad.encoders.conv3d import Conv3dAutoEncoder

__all__ = ["AutoEncoder", "Conv3dAutoEncoder"]
