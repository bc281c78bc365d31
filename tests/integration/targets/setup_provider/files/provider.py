# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model's provider on loopback that streams the Responses API, for those who show the right key.

usage: provider.py FOLDER KEY_FILE

FOLDER/answers says what it answers: the commands of the agent one after the other, then its final message. The same for every
conversation, since each request carries the whole of it. FOLDER/ports tells where it listens, FOLDER/requests what it was asked.
It ends when FOLDER/stop is there.
"""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import os
import ssl
import sys
import threading
import time

#: Seconds after which it ends in any case.
LIFE = 300


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    folder = key = ""
    lock = threading.Lock()

    def log_message(self, format, *args):
        """Say nothing."""

    def note(self, body):
        """Keep what was asked, without the key in the header that belongs there."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        authorized = headers.pop("authorization", "") == "Bearer " + self.key
        line = json.dumps({"method": self.command, "path": self.path, "authorized": authorized, "headers": headers, "body": body})
        with self.lock, open(os.path.join(self.folder, "requests"), "a", encoding="utf-8") as handle:
            handle.write(line + "\n")
        return authorized

    def answer(self, status, value):
        """A whole JSON answer."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        """The list of models."""
        self.note("")
        self.answer(200, {"models": []})

    def do_POST(self):
        """The model."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if not self.note(body):
            self.answer(401, {"error": {"message": "this is not the key"}})
            return
        if not self.path.endswith("/some/v1/responses"):
            self.answer(404, {"error": {"message": "no such path"}})
            return
        with open(os.path.join(self.folder, "answers"), encoding="utf-8") as handle:
            answers = json.load(handle)
        done = sum(item.get("type") == "function_call_output" for item in json.loads(body)["input"])
        if done < len(answers["commands"]):
            arguments = json.dumps({"cmd": answers["commands"][done]})
            item = {"type": "function_call", "call_id": f"c{done}", "name": "exec_command", "arguments": arguments}
        else:
            item = {"type": "message", "role": "assistant", "id": "m1", "content": [{"type": "output_text", "text": answers["final"]}]}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        usage = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 10, "total_tokens": 110}
        usage["output_tokens_details"] = {"reasoning_tokens": 0}
        self.event("response.created", response={"id": f"r{done}"})
        time.sleep(0.05)
        self.event("response.output_item.done", item=item)
        self.event("response.completed", response={"id": f"r{done}", "usage": usage})

    def event(self, kind, **more):
        """One event of the stream."""
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(dict(more, type=kind))}\n\n".encode())
        self.wfile.flush()


def certificate(folder):
    """A certificate that vouches for itself, and its key. Ansible brings the library."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provider")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(address, False).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    made = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = os.path.join(folder, "both.pem")
    with open(os.open(both, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as handle:
        handle.write(private + made.public_bytes(serialization.Encoding.PEM))
    with open(os.path.join(folder, "ca.pem"), "wb") as handle:
        handle.write(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context


def main(folder, key_file):
    """Serve until told to stop."""
    Handler.folder = folder
    with open(key_file, encoding="utf-8") as handle:
        Handler.key = handle.read().strip()
    ports = {}
    for scheme in ("http", "https"):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        ports[scheme] = server.server_address[1]
        if scheme == "https":
            server.socket = certificate(folder).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    beside = os.path.join(folder, "ports.new")
    with open(beside, "w", encoding="utf-8") as handle:
        json.dump(ports, handle)
    os.rename(beside, os.path.join(folder, "ports"))
    end = time.monotonic() + LIFE
    while time.monotonic() < end and not os.path.exists(os.path.join(folder, "stop")):
        time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
