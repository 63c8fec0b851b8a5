"""Home values in California: a model that knows the south meets the north.

The rows are the census blocks of 1990 (Pace and Barry, "Sparse Spatial Autoregressions", 1997), which
come with NannyML in the order of the census: its *reference* lies mostly around Los Angeles, its
*analysis* rows mostly in the north.
"""
