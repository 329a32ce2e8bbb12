"""Results kept up to date: each file is one result, each folder is a part that results are made of."""

from jobs.running import loading, moved

loading.watch()  # here, as a job file may be wrong in what it imports of this package first
moved.watch()
