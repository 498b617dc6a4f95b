"""Read the images of a data set from wherever they are, one at a time and as often as needed.

A folder, a .zip or .tar archive, an array file or Parquet files are all a :class:`Source`. Nothing
in a source is trusted: no link is followed, no name leads anywhere, no pickle is loaded, and at
most one image is in memory.
"""
