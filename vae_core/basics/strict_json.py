"""JSON without the tokens NaN and Infinity, which the JSON standard does not have."""

import json
import math
from typing import Any


def strict_json(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON, with null for NaN and infinite numbers."""
    return json.dumps(finite(value), indent=indent, allow_nan=False)


def finite(value: Any) -> Any:
    """Replace NaN and infinite numbers by None, at any depth of dictionaries and lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def nan_for_null(value: Any) -> Any:
    """Replace None by NaN, at any depth, in figures that :func:`strict_json` wrote."""
    if isinstance(value, dict):
        return {key: nan_for_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [nan_for_null(item) for item in value]
    return math.nan if value is None else value
