"""Sentences about data sets of the user's own."""

import re

_OPTION = re.compile(r"\s+--[a-z][^.]*\.$")


def without_option(sentence: str) -> str:
    """Leave out an ending such as "--size overrules this.", for which a page has no use."""
    return _OPTION.sub("", sentence)
