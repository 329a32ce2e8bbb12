"""What data looks like: one file per topic or table, data only. Those of a project at work are among them."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
