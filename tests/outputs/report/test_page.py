"""The page as a file: whole, safe against what names may hold, readable without a script."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from crowdad.outputs.report import Look, Reason, write_page
from crowdad.outputs.report.packing import PackedHeat
from tests.outputs.report.made_up import OF_KINDS, SHORT, MadeUp, without_pictures

NASTY = """<script>alert(1)</script>&"'.mp4"""


class Reader(HTMLParser):
    """Elements by name, and all text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data = ""
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data
        elif self.elements[-1][1].get("id") == "data":
            self.data += data


def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


def test_what_was_found_can_be_read_without_a_script(tmp_path: Path) -> None:
    page = read(SHORT.write(tmp_path, recorded_at="2024-05-17T23:59:55", warnings=["the camera moved"]))
    said = " ".join(page.text.split())
    assert "3 events in 0:10.0, file date 2024-05-17 23:59:55" in said, "nobody said that it was recorded then"
    assert "by the file's date: 2024-05-1" in said
    assert "the camera moved" in said
    assert "0:05.0 to 0:08.0 (3.0 s)" in said
    assert "peak 0.70 at 0:05.0" in said
    assert "undecodable" in said
    assert "gate3.safetensors, one-class" in said
    assert "learned froma.mp4" in said, "a term and its description"
    bars = [element for name, element in page.elements if name == "rect" and element["class"] == "bar"]
    heights = [float(bar["height"] or 0) for bar in bars]
    assert len(bars) == 24
    # The first event begins 2 s in, before midnight, the two others after it.
    assert [hour for hour, height in enumerate(heights) if height] == [0, 23]
    assert heights[0] == 2 * heights[23]


def test_what_is_unusual_comes_first_and_what_is_normal_is_folded(tmp_path: Path) -> None:
    grey, motion = np.full((36, 24), 99, np.uint8), np.full((5, 5, 3), 200, np.uint8)
    look = replace(OF_KINDS.look(), reasons={2: Reason(0.41, grey, motion, [(0.41, 0.03, grey, motion)])})
    results = OF_KINDS.results()
    results = results.model_copy(update={"candidates": results.events[:1]})
    write_page(tmp_path / "report.html", results, OF_KINDS.table, look)
    page = read(tmp_path / "report.html")
    said = "".join(page.text.split())
    assert "Event2againstthestreamGoeson0:05.0to0:08.0" in said
    assert "Candidate1fastGoeson0:02.0to0:03.0" in said
    names = [name for name, _ in page.elements]
    assert names.index("details", names.index("h3")) < names.index("figure"), "patches are behind a fold"
    assert not [element for name, element in page.elements if name == "details" and "open" in element]
    assert [event["kind"] for event in json.loads(page.data)["events"]] == ["fast", "against the stream", "fast"]


def test_names_and_warnings_stay_text(tmp_path: Path) -> None:
    page = read(SHORT.write(tmp_path, NASTY, warnings=[f"{NASTY} is odd"]))
    assert NASTY in page.text
    assert f"{NASTY} is odd" in page.text
    assert [element.get("id") for name, element in page.elements if name == "script"] == ["data", None]
    assert json.loads(page.data)["false_alarms"]["source"]["name"] == NASTY


def test_nothing_but_the_own_script_and_style_may_run(tmp_path: Path) -> None:
    page = read(SHORT.write(tmp_path))
    (policy,) = [str(e["content"]) for name, e in page.elements if name == "meta" and "http-equiv" in e]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for name, element in page.elements if any(key.startswith("on") for key in element)]
    assert not [name for name, element in page.elements if "style" in element]
    addresses = [e.get("src") or e.get("href") for _, e in page.elements if e.get("src") or e.get("href")]
    assert {str(address) for address in addresses if not str(address).startswith(("data:", "#"))} == {"footage.mp4"}


def test_two_pages_of_one_run_are_the_same(tmp_path: Path) -> None:
    first = SHORT.write(tmp_path).read_bytes()
    assert SHORT.write(tmp_path).read_bytes() == first


def test_a_run_without_events_heat_and_clock(tmp_path: Path) -> None:
    run = MadeUp(20, 10.0, [])
    look = Look("footage.mp4", 0.0, PackedHeat(None), np.zeros((96, 128, 3), np.uint8))
    page = read(run.write(tmp_path, look=look))
    assert "No event in 0:02.0" in page.text
    assert "This run kept no heat." in page.text
    assert "--recorded-at" in page.text
    assert json.loads(page.data)["heat"] is None


def test_events_without_a_picture_say_so(tmp_path: Path) -> None:
    page = read(SHORT.write(tmp_path, look=without_pictures(SHORT.look())))
    assert page.text.count("no picture") == 3
    assert "Pictures are there for 0 of the 3 events" in page.text


def test_why_an_event_was_flagged(tmp_path: Path) -> None:
    look = SHORT.look()
    grey, motion = np.full((36, 24), 99, np.uint8), np.full((5, 5, 3), 200, np.uint8)
    nearest = [(0.41, 0.03, grey, motion), (0.38, 0.002, grey, None)]
    reasons = {2: Reason(0.41, grey, motion, nearest)}
    path = tmp_path / "report.html"
    write_page(path, SHORT.results(), SHORT.table, Look(look.video, 0.0, look.heat, look.still, look.peaks, reasons))
    page = read(path)
    assert page.text.count("What is normal here") == 1
    assert "What is normal there is shown for 1 of the 3 events" in page.text
    assert "at most 0.41 similar to normal motion" in " ".join(page.text.split())
    assert "similarity 0.38, 0.2% of normal motion" in page.text
    motions = [element for name, element in page.elements if name == "img" and element.get("class") == "motion"]
    assert len(motions) == 2


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme: int, tmp_path: Path) -> None:
    style = SHORT.write(tmp_path).read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    pairs = [(text, ground) for text in ("ink", "quiet") for ground in ("ground", "card")]
    pairs += [("on-accent", "accent"), ("ink", "notice"), *(("hot-text", on) for on in ("ground", "shade", "card"))]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"
    # Lines and marks that carry meaning: 3 to 1.
    for mark in ("playhead", "curve", "hot"):
        light, dark = sorted((luminance(colours[mark]), luminance(colours["ground"])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, mark
