"""The crowd as a whole: statistics of its flow, or a code of its flow field?

python -m benchmarks.crowds                      # draws the clips, and prints what both make of them
python -m benchmarks.crowds --keep DIR           # keep the clips, and use those that are there

Both learn from a normal clip of each scene and score other clips of it.  Neither is told how large its scores get
there: the AUC is of a kind's frames against the normal ones of all test clips, and an alarm is what is a tenth above
the highest of those.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.config import Settings
from crowdad.evaluation.crowd_codes import CrowdCodes
from crowdad.evaluation.metrics import FrameScores, frame_auc_micro
from crowdad.scene.sampling import measure_people
from crowdad.scene.streams import Crowd, Lesson, Step
from crowdad.sources import open_source
from crowdad.synthetic import ClipTruth, GeneratedClip, load_truth, write_clip
from crowdad.tubes.patches import Extractor, steps_of
from crowdad.tubes.scale import SceneScale

__all__ = ["main"]

Scores = npt.NDArray[np.float64]
Scorer = Callable[[Sequence[Step]], Scores]

SCENES, FIT_SEED, TEST_SEED, SECONDS = ("plaza", "ped2like"), 100, 200, 240.0
CLIPS = (("panic", "gathering", "freezing"), ("scattering", "surge", "emptiness"))
CELLS = (6, 8)
AFTERMATH_S = 25.0
_ABOVE = 1.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line a scene and kind; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowds", description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the clips; default: a temporary one")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="crowdad-") as temporary:
        for scene in SCENES:
            _compare(scene, options.keep or Path(temporary))
    return 0


def _compare(scene: str, folder: Path) -> None:
    settings = Settings()
    normal = _drawn(GeneratedClip(scene, FIT_SEED, normal_only=True, duration_s=SECONDS), folder)
    scale = measure_people([open_source(normal)], settings, lambda _what, _share: None)
    learned_from = _steps(normal, scale, settings)
    scorers = {
        "statistics": _statistics(learned_from, scale, settings),
        "codes": _codes(learned_from, scale, settings),
    }
    seen: list[tuple[ClipTruth, npt.NDArray[np.float64], Mapping[str, Scores]]] = []
    for number, kinds in enumerate(CLIPS):
        video = _drawn(GeneratedClip(scene, TEST_SEED + number, anomalies=kinds, duration_s=SECONDS), folder)
        steps = _steps(video, scale, settings)
        times_s = np.array([step.time_s for step in steps])
        seen.append((load_truth(video), times_s, {name: score(steps) for name, score in scorers.items()}))
    for name in scorers:
        usual = np.concatenate([scores[name][_normal(truth, times_s)] for truth, times_s, scores in seen])
        for truth, times_s, scores in seen:
            for event in truth.crowd_events:
                inside = (times_s >= event.start_s) & (times_s < event.end_s)
                found = times_s[inside & (scores[name] >= _ABOVE * usual.max())]
                delay = f"{found[0] - event.start_s:.1f} s" if len(found) else "never"
                print(f"{scene} {event.kind}: {name} AUC {_auc(scores[name][inside], usual):.3f}, {delay}", flush=True)


def _drawn(clip: GeneratedClip, folder: Path) -> Path:
    video = folder / f"{clip.config.name}-{clip.seed}.mp4"
    if not video.exists():
        write_clip(clip, video)
    return video


def _steps(video: Path, scale: SceneScale, settings: Settings) -> list[Step]:
    found = steps_of(open_source(video).frames(), Extractor(scale, settings))
    return [Step(frame.index, frame.time_s, tubes) for frame, tubes in found]


def _statistics(steps: Sequence[Step], scale: SceneScale, settings: Settings) -> Scorer:
    """The stream's raw anomaly."""
    learner = Crowd.learner(scale, settings)
    for step in steps:
        learner.see(step)
    crowd = learner.learned(Lesson({}, unlabelled=False))
    assert crowd is not None

    def score(steps: Sequence[Step]) -> Scores:
        run = crowd.run(scale, settings, None)
        return np.array([each.raw.max() for each in (*run.push(steps), *run.finish())], np.float64)

    return score


def _codes(steps: Sequence[Step], scale: SceneScale, settings: Settings) -> Scorer:
    """What the codes lack in normality, on the average of a second."""
    codes = CrowdCodes(scale, settings, CELLS).fit(steps)
    second = np.ones(max(1, round(scale.fps / scale.gap)))

    def score(steps: Sequence[Step]) -> Scores:
        return np.convolve(1.0 - codes.score(steps), second / second.sum(), "same")

    return score


def _normal(truth: ClipTruth, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Steps well before and after all events."""
    normal = np.ones(len(times_s), np.bool_)
    for event in truth.crowd_events:
        before_s = AFTERMATH_S if event.kind == "emptiness" else 0.0
        normal &= (times_s < event.start_s - before_s) | (times_s >= event.end_s + AFTERMATH_S)
    return normal


def _auc(unusual: Scores, usual: Scores) -> float:
    labels = np.concatenate([np.ones(len(unusual), np.bool_), np.zeros(len(usual), np.bool_)])
    return frame_auc_micro([FrameScores("all", np.concatenate([unusual, usual]), labels)])


if __name__ == "__main__":
    sys.exit(main())
