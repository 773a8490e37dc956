"""The live page: what a camera shows and what is unusual in it, in a browser, while it is being watched."""

from crowdad.page.serving import LivePage

__all__ = ["LivePage"]
