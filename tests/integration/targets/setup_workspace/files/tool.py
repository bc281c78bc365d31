# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the integration targets look at and make, besides what Ansible's own modules do.

usage: tool.py make FOLDER            make the application that standard input describes
       tool.py digest FOLDER          one digest of every path, mode, owner and content in it
       tool.py cassettes FOLDER       write the cassettes that standard input describes
       tool.py gone SECONDS FOLDER    wait until no process works in FOLDER; print those that stay
       tool.py busy SECONDS FOLDER WORD   wait until a process works in FOLDER whose command line holds WORD
       tool.py find FILE FOLDER...    print where the secrets of FILE (one per line) occur below FOLDER
       tool.py watch FILE FOLDER RUNS     look at the processes until FOLDER/stop is there; print where the secrets of FILE occur
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import sys
import time


def make(folder, described):
    """Start from nothing, and write the files."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in described["files"].items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as handle:
            handle.write(text)
        os.chmod(full, 0o755 if path in described["executable"] else 0o644)


def digest(folder):
    """Digest of everything in a folder."""
    found = []
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(parent, name)
            state = os.lstat(path)
            content = ""
            if stat.S_ISREG(state.st_mode):
                with open(path, "rb") as handle:
                    content = hashlib.sha256(handle.read()).hexdigest()
            elif stat.S_ISLNK(state.st_mode):
                content = os.readlink(path)
            found.append([os.path.relpath(path, folder), state.st_mode, state.st_uid, state.st_gid, content])
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def cassette(described):
    """One cassette."""
    usage = {"input_tokens": described.get("tokens", 900), "output_tokens": 40}
    exchanges = []
    for number, command in enumerate(described.get("commands", [])):
        call = {"type": "function_call", "call_id": f"c{number}", "name": "exec_command", "arguments": json.dumps({"cmd": command})}
        exchanges.append({"response": {"items": [call], "usage": usage}})
    if "responses" in described:
        exchanges += [{"response": response} for response in described["responses"]]
    else:
        final = described.get("final", '{"status": "changed"}')
        message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": final}]}
        exchanges.append({"response": {"items": [message], "usage": usage}})
    return {"version": 1, "strict": described.get("strict", False), "exchanges": exchanges}


def cassettes(folder, described):
    """All of them."""
    os.makedirs(folder, exist_ok=True)
    for name, one in described.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as handle:
            json.dump(cassette(one), handle)


def read(path):
    """The bytes of a file, or none where it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError:
        return b""


def marks(folder):
    """What tells that a process works in a folder: its path, and its path on its file system, as mounts name it."""
    top = folder = os.path.realpath(folder)
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    return os.fsencode(folder) + b"/", os.fsencode(" /" + os.path.relpath(folder, top) + "/")


def processes(folder):
    """(pid, command line, environment, whether it works in the folder or was told of it) of each process."""
    path, mounted = marks(folder)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                cwd = os.fsencode(os.readlink(f"/proc/{entry}/cwd"))
            except OSError:
                cwd = b""
            line, environment = read(f"/proc/{entry}/cmdline"), read(f"/proc/{entry}/environ")
            ours = path in b"\n".join((line, environment, cwd + b"/")) or mounted in read(f"/proc/{entry}/mountinfo")
            yield int(entry), line, environment, ours


def working_in(folder):
    """Codex, its helpers and its commands work in a run's folder, were told of it, or see it under another name."""
    return [(pid, line) for pid, line, _environment, ours in processes(folder) if ours and pid != os.getpid()]


def wait_for(seconds, folder, done):
    """Look until *done* is content with what works in the folder. What was seen last."""
    end = time.monotonic() + seconds
    while True:
        found = working_in(folder)
        if done(found) or time.monotonic() > end:
            return found
        time.sleep(0.1)


def forms(path):
    """Name and bytes of each secret in a file, as they are and in base64."""
    for number, line in enumerate(read(path).split()):
        yield f"secret {number + 1}", line
        yield f"secret {number + 1} in base64", base64.b64encode(line)[:-4]


def find(secrets, folders):
    """Where a secret stands in a file, or in a file's name."""
    wanted = list(forms(secrets))
    for folder in folders:
        for parent, _folders, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                content = os.fsencode(path) + read(path) if stat.S_ISREG(os.lstat(path).st_mode) else b""
                for what, secret in wanted:
                    if secret in content:
                        yield f"{what} in {path}"


def watch(secrets, folder, runs):
    """Where a secret stands in a command line, or in the environment of what the engine started."""
    wanted = list(forms(secrets))
    seen = set()
    agents = set()
    end = time.monotonic() + 120
    while not os.path.exists(os.path.join(folder, "stop")) and time.monotonic() < end:
        for pid, line, environment, ours in processes(runs):
            # Between its fork and its start a child still looks like the module.
            ours = ours and b"AnsiballZ" not in line
            if ours:
                agents.add(pid)
            for what, secret in wanted:
                if secret in line or (ours and secret in environment):
                    seen.add(f"{what} in process {pid}: {line[:200]!r}")
        time.sleep(0.02)
    return sorted(seen), len(agents)


def main(verb, *arguments):
    """Do one of them."""
    if verb == "make":
        make(arguments[0], json.load(sys.stdin))
    elif verb == "digest":
        sys.stdout.write(digest(arguments[0]))
    elif verb == "cassettes":
        cassettes(arguments[0], json.load(sys.stdin))
    elif verb == "gone":
        left = wait_for(float(arguments[0]), arguments[1], lambda found: not found)
        sys.stdout.write("".join(f"{pid} {line!r}\n" for pid, line in left))
    elif verb == "busy":
        word = arguments[2].encode()
        found = wait_for(float(arguments[0]), arguments[1], lambda found: any(word in line for _pid, line in found))
        if not any(word in line for _pid, line in found):
            raise SystemExit(f"no process runs {arguments[2]}: {found!r}")
    elif verb == "find":
        sys.stdout.write("".join(line + "\n" for line in find(arguments[0], arguments[1:])))
    elif verb == "watch":
        seen, agents = watch(*arguments)
        sys.stdout.write(json.dumps({"seen": seen, "agents": agents}))


if __name__ == "__main__":
    main(*sys.argv[1:])
