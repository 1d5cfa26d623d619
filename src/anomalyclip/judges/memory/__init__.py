"""A memory of good pictures: their patch features, against which the patches of others are compared.

Small pure functions on float32 arrays, one idea a file: neighbourhood means (:mod:`neighbourhood`), nearest neighbours
(:mod:`search`), subsets (:mod:`coreset`), window maps (:mod:`windows`), image scores (:mod:`peaks`), turned copies
(:mod:`copies`). The published methods put together of them are :mod:`recipes`.
"""
