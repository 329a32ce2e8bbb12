"""Texts of a sample that are numbers to a person: amounts with a currency among them, or with a decimal comma."""

from collections.abc import Sequence

from jobs.admin.input.cells import CERTAIN, WITH_COMMA


def note(texts: Sequence[str]) -> str | None:
    """Why these stay texts although most look like numbers, and what reads them as such; None if they do not. Texts of
    digits alone are no such numbers, as they may well be names.
    """
    given = [text for text in texts if text.strip()]
    if len(set(given)) < 2:
        return None  # a version, maybe
    commas, points = ([text for text in given if form.fullmatch(text)] for form in (WITH_COMMA, CERTAIN))
    if 2 * len(commas) > len(given) and any("," in text for text in commas):
        return "its numbers have a decimal comma: of CSV --decimal-comma reads them, else a transform"
    if 2 * len(points) <= len(given) or not any("." in text for text in points):
        return None
    if len(points) == len(given):
        return "its numbers stand in quotes: DoubleType() or DecimalType(18, 2) in the schema file reads them"
    others = len(given) - len(points)
    return f"{others:,} of {len(given):,} are no plain numbers: in a transform try_cast makes null of these"
