"""In a checkout of headrace the gallery's jobs and schema files are found beside those of the packages."""

from pathlib import Path

import jobs
import schemas

GALLERY = Path(__file__).parent.parent
for package in (jobs, schemas):
    package.__path__.append(str(GALLERY / package.__name__))
