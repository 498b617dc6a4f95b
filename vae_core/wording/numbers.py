"""Format numbers for people: a minus sign, decimals by the standard error, a unit."""

import math

NOT_KNOWN = "not known"
ERROR_NOT_KNOWN = f"error {NOT_KNOWN}"


def typeset(value: float, spec: str) -> str:
    """Format a number as :func:`format` does, with a minus sign for the hyphen.

    ``typeset(-1.5, ".2f")`` is ``"−1.50"``. A negative number that rounds to zero has no sign.
    """
    text = format(value, spec)
    is_zero = not text.strip("-0.,")
    return text.removeprefix("-") if is_zero else text.replace("-", "−")


def estimate(value: float, se: float, unit: str = "nats") -> str:
    """Format an estimate as :func:`number` does; say so if its error (NaN) is not known."""
    return number(value, se, unit) + f" ({ERROR_NOT_KNOWN})" * math.isnan(se)


def error_or_not_known(se: float) -> str:
    """Format the error of an estimate for a column of a table, to two decimals."""
    return NOT_KNOWN if math.isnan(se) else f"{se:.2f}"


def in_hundredths(value: float, se: float, unit: str = "nats") -> str:
    """Format an estimate and its error to two decimals: ``"−87.31 ± 0.12 nats"``.

    So a table and a sentence show the same digits. A smaller error is written ``<0.01``.
    """
    error = f" ± {'<0.01' if 0 < se < 0.005 else f'{se:.2f}'}" if math.isfinite(se) else ""
    unknown = f" ({ERROR_NOT_KNOWN})" * math.isnan(se)
    return f"{typeset(value, ',.2f')}{error} {unit}{unknown}"


def number(value: float, se: float | None = None, unit: str = "nats") -> str:
    """Format a figure with its error and unit: ``number(-87.31, 0.12)`` is ``"−87.3 ± 0.1 nats"``.

    The last decimal is the first digit of the standard error. Without an error: four digits.
    """
    unit = f" {unit}" if unit else ""
    if not math.isfinite(value):
        return ("not a number" if math.isnan(value) else f"{'−' if value < 0 else ''}∞") + unit
    if se is None or not math.isfinite(se) or se <= 0:
        decimals = max(0, 3 - math.floor(math.log10(abs(value)))) if abs(value) > 1e-9 else 0
        return typeset(value, f",.{min(decimals, 6)}f") + unit
    decimals = max(0, -math.floor(math.log10(float(f"{se:.0e}"))))
    return f"{typeset(value, f',.{decimals}f')} ± {se:,.{decimals}f}{unit}"


def duration(seconds: float) -> str:
    """Write a duration in words: ``"8 s"``, ``"3 min"``, ``"1 h 20 min"``, ``"3 days"``."""
    if round(seconds) < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    return f"{round(minutes / 60 / 24):,} days"
