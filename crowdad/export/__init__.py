"""A scene as one graph, from a batch of tubes to their normality, that runs without torch.

Standardisation, encoder, unit norm and centres are inside; flow and tubes stay outside.
"""

from crowdad.export.graph import onnx_graph
from crowdad.export.writing import FORMATS, Exported, checked_graph, export_scene

__all__ = ["FORMATS", "Exported", "checked_graph", "export_scene", "onnx_graph"]
