"""The auto-encoders of tubes, one a file, over the unit-norm code of `_base.py`."""

from crowdad.scene.encoders._base import AutoEncoder
from crowdad.scene.encoders.conv3d import Conv3dAutoEncoder

__all__ = ["AutoEncoder", "Conv3dAutoEncoder"]
