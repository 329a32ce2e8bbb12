"""Results kept up to date: each file is one result, each folder is a part that results are made of.

The job files of a project at work are part of this package, too.
"""

from pkgutil import extend_path

from jobs.running import loading, moved, project

project.show()
__path__ = extend_path(__path__, __name__)
loading.watch()  # here, as a job file may be wrong in what it imports of this package first
moved.watch()
