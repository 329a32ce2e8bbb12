"""Changes to an HTTP server, at least once: POST of NDJSON, a message for each change, with an id."""

import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import pyarrow as pa

from jobs.publishing import messages
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.errors import Refused

TIMEOUT_SECONDS = 10.0
"""How long a receiver may take to answer: publishes wait for it."""
MOST_MESSAGES = 1_000
"""Of one request."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would send rows, and the token, elsewhere than the places file says."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class ToWebhook:
    """Sends the changes of one answer to one address."""

    name: str
    """In the places file."""
    place: DeliveryPlace
    table: str
    """Of the answer."""
    key: Sequence[str]
    """Columns that tell a row of the answer from another."""

    def last_sent(self) -> int:
        """0: the receiver does not tell."""
        return 0

    def send(self, changes: pa.Table, sequence: int) -> None:
        """Send the changes of one publish, in several requests if they are many. Raises Refused."""
        lines = messages.messages(changes, self.table, self.key)
        for start in range(0, len(lines), MOST_MESSAGES):
            self._post(b"".join(line + b"\n" for line in lines[start : start + MOST_MESSAGES]), sequence)

    def _post(self, body: bytes, sequence: int) -> None:
        headers = {"Content-Type": "application/x-ndjson", "Headrace-Table": self.table}
        headers |= {"Headrace-Sequence": str(sequence)} | self.place.headers(self.name)
        where = f"the webhook [deliveries.{self.name}]"
        try:
            request = urllib.request.Request(self.place.address(self.name), body, headers, method="POST")
            opener = urllib.request.build_opener(_NoRedirect)
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            raise Refused(f"{where} answered {error.code}. Mend it, or its url in the places file.") from None
        except (OSError, HTTPException) as error:
            kind = type(getattr(error, "reason", error)).__name__
            raise Refused(f"{where} does not answer ({kind}). Is it running, and is its url right?") from None
