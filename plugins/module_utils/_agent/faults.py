# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong at the provider's side, in words for a person. PRIVATE."""

from __future__ import annotations

import json

from .ledger import Ledger

_ADVICE = {
    400: "The provider did not accept the request: check the model's name and the output schema.",
    401: "Check the provider's key (api_key or api_key_file).",
    403: "The key may not use this model or this API: check its permissions.",
    404: "Check base_url and the model's name.",
    408: "Try again later.",
    413: "The request is too large: narrow the task.",
    429: "The quota or rate limit is used up: wait, or raise it with the provider.",
}


def status_fault(ledger: Ledger, status: int, body: str) -> None:
    """End the run because the provider answered with an HTTP error. *body* must be redacted already."""
    advice = _ADVICE.get(status) or ("The provider has trouble: try again later." if status >= 500 else "Check the provider's settings.")
    said = _words(body)
    ledger.end("provider_error", f"provider_status_{status}", f"The provider answered with HTTP status {status}{': ' + said if said else ''}. {advice}")


def _words(body: str) -> str:
    """The provider's own message in an error body, at most 300 characters."""
    try:
        value = json.loads(body)
        error = value.get("error", value)
        text = error if isinstance(error, str) else str(error.get("message", ""))
    except (ValueError, AttributeError, RecursionError):
        text = body
    return " ".join(text.split())[:300].rstrip(".")


def dropped(ledger: Ledger) -> None:
    """End the run because a response ended before it was complete."""
    ledger.end("provider_error", "stream_dropped", "The provider's response ended before it was complete. Try again; if it stays so, look at the proxy.")


def response_failed(ledger: Ledger, words: str) -> None:
    """End the run because the provider reported a failure inside its stream. *words* must be redacted already."""
    said = " ".join(words.split())[:300].rstrip(".")
    ledger.end("provider_error", "provider_response_failed", f"The provider could not finish its response: {said}. Try again later, or narrow the task.")
