"""Lengths of time for people, each in the unit that suits it."""


def length(seconds: float) -> str:
    """Such as 90 s, 2.5 min, 3.0 h, 4,711.7 d: a unit is used from two of it on."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.3g} s"
