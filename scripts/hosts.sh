# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash

# Prepares throw-away hosts in podman, all of it in .cache/hosts: an environment with Ansible and molecule, the artefact of the Codex CLI, the images. To be
# sourced instead of env.sh.

. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"

[ "$(id -u)" = 0 ] || fail "Only root can start hosts with systemd." "user: $(id -un)" "Run it with sudo."
for program in podman runc mmdebstrap flock; do
    command -v "$program" >/dev/null ||
        fail "The program $program is missing." "PATH=$PATH" "Debian, Ubuntu: apt-get install --no-install-recommends mmdebstrap podman runc netavark aardvark-dns iptables"
done
"$root/scripts/environment" demo

hosts=$cache/hosts
umask 022
mkdir -p "$hosts" "$cache/log"
exec 8>"$hosts/lock"
flock -n 8 || { echo "Waiting for another call that uses .cache/hosts ..."; flock 8; }
log=$cache/log/molecule.log
: >"$log"

# --- podman, with nothing of this machine's own containers -----------------------------------------------------------------
cat >"$hosts/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]
[engine]
runtime = "runc"
EOF
cat >"$hosts/storage.conf" <<EOF
[storage]
driver = "overlay"
graphroot = "$hosts/storage"
runroot = "$hosts/run"
EOF
export CONTAINERS_CONF=$hosts/containers.conf CONTAINERS_STORAGE_CONF=$hosts/storage.conf

# --- the environment -------------------------------------------------------------------------------------------------------
digest() { cat "$@" | git hash-object --stdin; }
wanted=$(digest "$root"/requirements/hosts.txt)
if [ "$(cat "$hosts/environment" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing molecule into .cache/hosts/venv (once; log: .cache/log/molecule.log) ..."
    rm -rf "$hosts/venv"
    {
        "$venv/bin/python" -m venv "$hosts/venv"
        "$hosts/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$root/requirements/hosts.txt"
    } >>"$log" 2>&1 </dev/null || fail "The environment could not be made." "$log" "Read the log; check the network and pip's configuration; then run this again."
    printf '%s\n' "$wanted" >"$hosts/environment"
fi

# --- the Codex CLI, as the artefact that the role takes --------------------------------------------------------------------
artefacts=$hosts/artefacts
wanted=$(digest "$root/requirements/codex.txt")
if [ "$(cat "$artefacts/stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Fetching the Codex CLI as a wheel (142 MB, once) ..."
    rm -rf "$artefacts"
    "$hosts/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --platform manylinux_2_17_x86_64 \
        --dest "$artefacts" -r "$root/requirements/codex.txt" >>"$log" 2>&1 </dev/null || fail "The Codex CLI could not be fetched." "$log" "Check the network, then run this again."
    printf '%s\n' "$wanted" >"$artefacts/stamp"
fi
export DAY2_CODEX_ARTEFACT DAY2_CODEX_ARTEFACT_SHA256 DAY2_CODEX_ARTEFACT_VERSION=$codex_version
DAY2_CODEX_ARTEFACT=$(echo "$artefacts"/*.whl)
DAY2_CODEX_ARTEFACT_SHA256=$(sha256sum "$DAY2_CODEX_ARTEFACT" | cut -d' ' -f1)

# --- the images ------------------------------------------------------------------------------------------------------------
packages=systemd,systemd-sysv,dbus,python3,python3-jsonschema,sudo,cron,nftables,git,openssh-client,ca-certificates,acl,attr,e2fsprogs,iproute2,logrotate,procps,util-linux
# The mirror from which this machine itself is installed, where it is a Debian; else mmdebstrap's own.
# shellcheck disable=SC2016  # apt's own words
mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n 's/^Debian|Debian|//p' | sort -u | head -n 1 || true)
image() {
    local suite=$1 wanted
    wanted=$(printf '%s\n' "$suite" "$packages" 2 | git hash-object --stdin)
    if [ "$(cat "$hosts/image-$suite" 2>/dev/null)" = "$wanted" ] && podman image exists "localhost/codex-ops-host:$suite" 2>>"$log"; then return; fi
    echo "Making the image of $suite (once, 3 minutes) ..."
    rm -f "$hosts/$suite.tar"
    # shellcheck disable=SC2016  # for the hook's own shell
    mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='chroot "$1" systemctl mask systemd-modules-load.service' \
        "$suite" "$hosts/$suite.tar" ${mirror:+"$mirror"} >>"$log" 2>&1 </dev/null || return 1
    podman import --quiet --change 'CMD ["/sbin/init"]' --change 'STOPSIGNAL SIGRTMIN+3' "$hosts/$suite.tar" "localhost/codex-ops-host:$suite" >>"$log" 2>&1 || return 1
    rm -f "$hosts/$suite.tar"
    printf '%s\n' "$wanted" >"$hosts/image-$suite"
}
image bookworm &
first=$!
image trixie &
second=$!
hint="Read the log; check that the package mirror can be reached (${mirror:-the default of mmdebstrap}); then run this again."
wait "$first" || fail "The image of bookworm could not be made." "$log" "$hint"
wait "$second" || fail "The image of trixie could not be made." "$log" "$hint"

export PATH=$hosts/venv/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$cache/collections
export ANSIBLE_CONNECTION_PLUGINS=$root/extensions/molecule/shared/connection ANSIBLE_PIPELINING=true XDG_CACHE_HOME=$hosts/xdg
unset ANSIBLE_INVENTORY
