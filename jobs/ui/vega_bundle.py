"""Makes static/vega.js anew: Vega, Vega-Lite and Vega-Embed in one file, out of the package vl-convert-python.

    python -m jobs.ui.vega_bundle

The file is shipped, so that `headrace ui` needs neither the network nor that package, whose wheel has 30 MB.
"""

from pathlib import Path

FILE = Path(__file__).parent / "static" / "vega.js"
VEGA_LITE = "6.4"
"""The version for which charts.py writes specifications."""


def header() -> str:
    """The first line of the file: what is in it, and its licence."""
    import vl_convert

    versions = f"Vega {vl_convert.get_vega_version()}, Vega-Lite {VEGA_LITE}"
    embed = f"Vega-Embed {vl_convert.get_vega_embed_version()}"
    licences = "BSD-3-Clause, University of Washington Interactive Data Lab; with D3 (ISC) and lodash.debounce (MIT)"
    return f"/*! {versions}, {embed}: {licences}. Made by python -m jobs.ui.vega_bundle */"


def make() -> str:
    """The content of the file."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return f"{header()}\n{bundle.rstrip()}\n"


if __name__ == "__main__":
    FILE.write_text(make(), encoding="utf-8")
