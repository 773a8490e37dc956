"""Find where and when something unusual happens in footage of a crowd, learned without labels.

    fit(footage)                    learn what is normal in one camera's footage: a SceneModel
    score(footage, scene)           score frame by frame and write nothing: FrameResults
    events(results, scene)          events among scored frames: start, end, box, peak
    detect(footage, model=scene)    score footage into a run's folder: RunResults
    watch(camera, model=scene)      score a camera and tell of events while they last
    overlay(footage, run_folder)    draw a run's heat over its footage again
    read_results(path)              results.json of a run
    read_frames_csv(path)           frames.csv of a run
    read_heatmaps(path)             heatmaps.npz of a run

Footage is a video file, a folder of pictures, or numpy frames with their `fps`; all else is a keyword:

    import crowdad

    scene = crowdad.fit("normal/*.mp4", output="gate3.safetensors")
    for result in crowdad.score("monday.mp4", scene):
        if result.flagged:
            print(result.time_s, result.anomaly)

Each error is a CrowdadError.  Names are loaded when they are first used, so that `import crowdad` is instant.
"""

import lazy_loader

# Which name is in which module stands in __init__.pyi, for type checkers and for this.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
