"""A batch that judges itself: two passes over its pictures, the first of which only looks.

The first pass keeps what the encoder and the words see of every picture (:mod:`store`); then the pictures are compared
with each other (:mod:`scoring`); the second pass gives each its verdict (:mod:`passes`). Both passes are detectors, so
that whatever takes a detector (a stream over files, `detect` of Python) makes them.
"""
