# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  model:
    description: The model. Without it, Codex's own default.
    type: str
  reasoning_effort:
    description: How long the model may think.
    type: str
    choices:
      - minimal
      - low
      - medium
      - high
      - xhigh
  base_url:
    description:
      - The address of the model's provider, which must speak the Responses API.
      - Without it, the one that the host's policy names, else V(https://api.openai.com/v1). Where the policy names one, no other is taken.
    type: str
  ca_path:
    description: A PEM file on the host with the authorities that may vouch for the provider. Without it, the host's own.
    type: path
  proxy:
    description: An HTTP proxy on the way to the provider, such as V(http://proxy.example.com:3128). The environment's proxies are not used.
    type: str
  api_key:
    description:
      - The provider's key. It stays with the engine's relay; neither Codex nor any command that it starts can read it.
      - Mutually exclusive with O(api_key_file).
    type: str
  api_key_file:
    description:
      - A file on the host that holds the key and nothing else.
      - Without it and without O(api_key), C(etc/codex-ops/secrets/provider-key) under O(prefix) is read where it exists.
    type: path
  cassette:
    description:
      - The path of a cassette on the controller, which is a recording of the model's side. With it a run can be rehearsed with the real
        Codex CLI in its real sandbox, without a key and without tokens.
      - It is looked for beside the playbook or role, and in their folder C(files).
    type: str
  cassette_mode:
    description:
      - V(replay) answers from O(cassette); this is the default when O(cassette) is given.
      - V(record) asks the real provider and writes O(cassette), with secrets taken out. Not possible with C(async), where nothing
        comes back to the controller in time.
      - V(off) uses no cassette.
    type: str
    choices:
      - "off"
      - record
      - replay
"""
