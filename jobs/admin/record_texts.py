"""The bytes of records for people and for JSON."""

import base64


def texts(name: str, content: bytes | None) -> dict[str, str | None]:
    """As a text under this name; bytes that are not UTF-8 are base64 under NAME_base64."""
    try:
        return {name: None if content is None else content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content or b"").decode()}
