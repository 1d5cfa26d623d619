"""Watching a folder, a video or a camera: every new image scored once, anomalies reported, through any restart.

`source_folder` and `source_video` say what is new, `anomalyclip.detect.detect_stream` scores it, `journal` remembers it
in one transaction, `results` writes the rows, `evidence` keeps the last pictures, `notify` tells the outside. `loop` is
the order of these steps.
"""
