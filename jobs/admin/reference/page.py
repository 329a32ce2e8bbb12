"""The page: a table of contents, and all sections."""

from jobs.admin.reference import defaults, options, stored

HEAD = """# Reference

Generated from the code by `make reference`; `tests/test_docs.py` compares the two. Change the code, not this file.

"""


def text() -> str:
    """The whole page."""
    parts = [part for module in (defaults, options, stored) for part in module.sections()]
    contents = "".join(f"- [{title}](#{title.lower().replace(' ', '-')})\n" for title, _ in parts)
    return HEAD + contents + "".join(f"\n## {title}\n\n{body}" for title, body in parts)
