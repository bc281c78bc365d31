# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sourced by every script here: where things are, and an environment that does not depend on the caller's.
# shellcheck shell=bash

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P) || exit 1
venv=$root/.venv
cache=$root/.cache
codex_version=0.163.0

# A problem for a person: what is wrong, where, and what to do about it.
fail() {
    printf '\nERROR: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '  where: %s\n' "$2" >&2
    [ -z "${3:-}" ] || printf '  do:    %s\n' "$3" >&2
    exit 1
}

banner() { printf '\n==> %s\n' "$*"; }

case $root in
    *:* | *$'\n'*)
        fail "The folder of the checkout has a colon or a line break in its name; Ansible cannot take such a path." \
            "$root" "Move the checkout to a folder without them."
        ;;
esac

unset PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
# A setting of Ansible's in the caller's environment must not change what a demo or a test shows.
for name in $(compgen -e ANSIBLE_); do unset "$name"; done
unset name
# Git refuses a checkout that belongs to somebody else (root in a user's folder); here it is only read.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$root
# Ansible insists on UTF-8.
export LC_ALL=C.UTF-8
export PYTHONNOUSERSITE=1
export PATH=$venv/bin:$PATH

export ANSIBLE_CONFIG=$root/scripts/ansible.cfg
export ANSIBLE_HOME=$cache/ansible
export ANSIBLE_LOCAL_TEMP=$cache/ansible/tmp
export ANSIBLE_REMOTE_TEMP=$cache/ansible/remote-tmp
export ANSIBLE_COLLECTIONS_PATH=$cache/collections
export ANSIBLE_INVENTORY=$root/scripts/inventory.yml

# The Codex CLI that demo and tests run, unless the caller names another one.
export DAY2_CODEX_CLI=${DAY2_CODEX_CLI:-$cache/codex/$codex_version/bin/codex}
# A second, newer one is optional: scripts/codex-next fetches it.
next=$cache/codex/next/bin/codex
if [ -z "${DAY2_CODEX_CLI_NEXT:-}" ] && [ -x "$next" ]; then
    export DAY2_CODEX_CLI_NEXT=$next
fi
unset next
