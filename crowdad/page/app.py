"""The page's few addresses; all that they give is in memory, no part of an address names a file."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from functools import cache
from importlib.resources import files

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from crowdad.outputs.heat import raw_colours
from crowdad.outputs.report import asset, frame_peak, template
from crowdad.outputs.thumbnails import cut_peak
from crowdad.page.board import CURVE_S, PICTURE_S, Board, Cursor, Shot, ToldEvent
from crowdad.sources.jpeg import packed, shrunk, unpacked

__all__ = ["build_app"]

MOST_PX = 1280
"""Pictures that are wider are made smaller."""

LONGEST_WAIT_S = 10.0
_LOOK_S = 0.05
_NEWS_S = 0.1
_STILL_HERE_S = 5.0
_SCRIPTS = ("kinds.js", "heat.js", "timeline.js")
_OWN = files("crowdad.page") / "assets"


def build_app(board: Board, name: str) -> FastAPI:
    """The page of one camera.  name: what it is called, without a login."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    script = "".join([*(asset(part) for part in _SCRIPTS), _own("live.js")])
    style = asset("page.css") + _own("live.css")
    pictures = _Pictures(board)

    @app.get("/")
    async def page() -> HTMLResponse:
        colours = base64.b64encode(raw_colours("inferno").tobytes()).decode("ascii")
        data = {"colours": colours, "curve_s": CURVE_S, "picture_s": PICTURE_S}
        return HTMLResponse(template(_own, "live.html.j2").render(name=name, data=data))

    @app.get("/style.css")
    async def style_sheet() -> Response:
        shot = board.picture_after(0)
        height, width = (9, 16) if shot is None else shot.heatmap.size_hw
        ratio = f":root {{\n  --ratio: {width} / {height};\n}}\n"  # known early, nothing moves when the picture comes
        return Response(style + ratio, media_type="text/css")

    @app.get("/script.js")
    async def whole_script() -> Response:
        return Response(script, media_type="text/javascript")

    @app.get("/updates")
    async def updates() -> StreamingResponse:
        return StreamingResponse(_updates(board), media_type="text/event-stream")

    @app.get("/picture")
    async def picture(after: int = Query(0, ge=0)) -> Response:
        message = await pictures.after(after)
        return (
            Response(status_code=204) if message is None else Response(message, media_type="application/octet-stream")
        )

    @app.get("/events/{number:int}.jpg")
    async def thumbnail(number: int) -> Response:
        event = board.event(number)
        if event is None or not event.jpeg:
            raise HTTPException(404, "no such event")
        return Response(await asyncio.to_thread(_thumbnail, event), media_type="image/jpeg")

    return app


@cache
def _own(name: str) -> str:
    return (_OWN / name).read_text(encoding="utf-8")


async def _updates(board: Board) -> AsyncIterator[str]:
    """Server-sent events.  A browser that takes them slowly gets fewer, with all that has gathered meanwhile."""
    cursor, last, quiet_s = Cursor(), "", 0.0
    await asyncio.sleep(_NEWS_S)  # of a burst of connections most are closed by then: nothing is made for them
    over = False
    while not over:
        over = board.closed  # before the news are taken: the last ones are told, too
        news, ahead = board.news(cursor)
        text = json.dumps(news, separators=(",", ":"), allow_nan=False)
        quiet_s += _NEWS_S
        if ahead != cursor or text != last:
            yield f"data: {text}\n\n"
            quiet_s = 0.0
        elif quiet_s >= _STILL_HERE_S:
            yield ": still here\n\n"
            quiet_s = 0.0
        cursor, last = ahead, text
        await asyncio.sleep(_NEWS_S)


class _Pictures:
    """Pictures for browsers that ask for the next one when they have shown the last: each gets what it can take."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._making = asyncio.Lock()
        self._made: tuple[int, bytes] = (0, b"")

    async def after(self, number: int) -> bytes | None:
        """The latest picture's message, as soon as it is another than that of this number; None where none comes."""
        waited_s = 0.0
        while (shot := self._board.picture_after(number)) is None:
            if waited_s >= LONGEST_WAIT_S or self._board.closed:
                return None
            await asyncio.sleep(_LOOK_S)
            waited_s += _LOOK_S
        async with self._making:  # of several browsers that wait for a picture, the first has it made
            if self._made[0] != shot.number:
                self._made = shot.number, await asyncio.to_thread(_message, shot)
            return self._made[1]


def _message(shot: Shot) -> bytes:
    small = shot.heatmap.size_hw[1] <= MOST_PX
    return shot.message(shot.jpeg if small else shrunk(shot.jpeg, MOST_PX))


def _thumbnail(event: ToldEvent) -> bytes:
    return packed(frame_peak(*cut_peak(unpacked(event.jpeg), event.box_xyxy)))
