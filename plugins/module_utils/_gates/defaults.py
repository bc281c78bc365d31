# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds where a policy says nothing, and what no policy can loosen. Pure data. PRIVATE."""

from __future__ import annotations

#: Category: (autonomy, approvals). What goes with it beyond that is in :mod:`autonomy`.
CATEGORIES = {
    "health_check": ("automatic", 0),
    "backup_report": ("automatic", 0),
    "cache_cleanup": ("automatic", 0),
    "dependency_audit": ("automatic", 0),
    "certificate_renewal": ("automatic", 0),
    "service_restart": ("automatic", 0),
    "configuration_change": ("approval", 1),
    "database_migration": ("approval", 2),
}

#: Categories that are never done unattended, whatever slice or policy says, and what they mean.
NEVER = {
    "production_data_deletion": "Deleting production data",
    "firewall_change": "A change of firewall rules",
    "credential_rotation": "Rotating credentials, which cannot be rolled back",
    "destructive_migration": "A destructive migration",
    "user_permissions": "A change of user permissions",
    "untested_deployment": "A deployment without tests",
    "billing": "Billing and payments",
    "email_campaign": "An e-mail campaign",
    "critical_service_restart": "Restarting critical services in a loop",
    "external_command": "A command built from external text",
}

#: Categories that look and report: an action is not part of that.
REPORTS = ("health_check", "backup_report", "dependency_audit")
#: Categories that are automatic only where the slice says how anyone can tell that it went well.
VALIDATED = ("backup_report", "certificate_renewal")
#: Categories that need a way back that the slice names.
WITH_ROLLBACK = ("database_migration",)

#: What all runs of a host may spend together.
TOKENS_PER_DAY = 2000000
RUNS_PER_HOUR = 600
#: Seconds for which an approval counts at most.
MAX_AGE = 7 * 86400
#: Seconds for an action that names no timeout.
ACTION_TIMEOUT = 60

# What carries power over the whole host. A pattern means the file or folder and everything below, in every folder: so it
# holds for a chroot, a container's root and a bind mount as well. Those that would be too common by their name alone are
# tied to the folder above. All are in lower case: letters are compared without their case.
_ANYWHERE = (
    # Who may become whom.
    "sudoers sudoers.d sudo.conf doas.conf doas.d polkit-1 pam.d pam.conf .pam_environment nsswitch.conf login.defs etc/passwd etc/passwd- "
    "etc/group etc/group- etc/shadow etc/shadow- etc/gshadow etc/gshadow- etc/subuid* etc/subgid* etc/shells etc/security etc/securetty "
    "etc/login.access etc/adduser.conf etc/deluser.conf etc/default/useradd etc/krb5.conf etc/krb5.conf.d etc/sssd etc/nslcd.conf etc/ldap "
    "etc/libuser.conf sysusers.d etc/userdb etc/hosts.allow etc/hosts.deny etc/hosts.equiv .rhosts .shosts "
    # What runs by itself.
    "cron.d cron.hourly cron.daily cron.weekly cron.monthly cron.yearly crontab crontabs anacrontab cron.allow cron.deny at.allow at.deny "
    "spool/cron spool/at spool/atjobs spool/anacron spool/incron incron.d spool/fcron fcrontab etc/default/cron etc/default/anacron "
    "systemd *.service *.socket *.timer *.automount *.mount *.swap init.d rc.d rc[0-6].d rcs.d rc.local rc.conf inittab etc/init etc/runit "
    "etc/sv etc/service etc/s6 etc/openrc etc/supervisor etc/supervisord* etc/monit* inetd.conf inetd.d xinetd.conf xinetd.d binfmt.d tmpfiles.d "
    "logrotate.d logrotate.conf update-motd.d .config/autostart xdg/autostart etc/acpi udev/rules.d etc/udev if-up.d if-down.d if-pre-up.d "
    "if-post-down.d networkmanager/dispatcher.d networkd-dispatcher dhclient-enter-hooks.d dhclient-exit-hooks.d network-scripts etc/dhcp "
    "facts.d etc/needrestart etc/rsyslog.conf rsyslog.d etc/syslog-ng etc/audit etc/auditd* etc/aliases etc/mail/aliases .forward .procmailrc "
    "dbus-1 "
    # Who comes in from where.
    ".ssh etc/ssh sshd_config sshd_config.d ssh_config ssh_config.d sshrc ssh_host_* authorized_keys* authorized_principals* "
    "nftables nftables.conf nftables.d nftables.rules iptables iptables.* ip6tables ip6tables.* rules.v4 rules.v6 etc/ebtables* etc/arptables* "
    "etc/ipset* ufw ufw.* firewalld firewalld.conf etc/ferm etc/shorewall* etc/fail2ban etc/csf etc/pf.conf etc/default/ufw etc/default/nftables "
    # What every program or shell loads.
    "ld.so.conf ld.so.conf.d ld.so.preload ld.so.cache etc/profile profile.d etc/environment environment.d etc/bash* bash.bashrc etc/zsh* "
    "etc/csh* etc/skel .bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .cshrc .tcshrc "
    ".login .kshrc sitecustomize.py usercustomize.py etc/alternatives "
    # The kernel, its modules, the boot, the disks, and what confines programs.
    "etc/default/grub* grub.d boot/grub boot/grub2 boot/loader boot/efi vmlinuz* initrd.img* initramfs-* etc/kernel dracut.conf dracut.conf.d "
    "etc/mkinitcpio* modprobe.d modprobe.conf modules-load.d etc/modules depmod.d sysctl.conf sysctl.d etc/fstab etc/crypttab etc/exports "
    "exports.d etc/auto.* etc/apparmor apparmor.d etc/selinux etc/sysconfig/grub etc/sysconfig/kernel etc/sysconfig/selinux "
    # Hooks and settings that root's programs run or read.
    "etc/letsencrypt/renewal-hooks etc/letsencrypt/renewal etc/letsencrypt/cli.ini etc/default etc/sysconfig/network etc/cloud lib/cloud/scripts "
    "etc/ppp etc/resolvconf/update.d etc/pm etc/smartmontools etc/smartd.conf etc/x11/xsession.d etc/x11/xinit etc/openvpn etc/wireguard "
    "etc/snmp etc/nagios etc/icinga* etc/zabbix etc/salt etc/puppet* etc/chef etc/ansible etc/keepalived etc/mdadm etc/mdadm.conf etc/lvm "
    "etc/ssl/certs share/ca-certificates etc/ca-certificates* etc/pki/ca-trust etc/gitconfig .gitconfig .bashrc.d .config/fish .vimrc "
    "bash-completion bash_completion.d etc/tcb etc/sudo_logsrvd.conf etc/nix "
    # Where software comes from, and what starts it as root.
    "etc/apt etc/dpkg etc/yum.conf etc/yum yum.repos.d etc/dnf etc/zypp rpm-gpg etc/pacman.conf pacman.d etc/apk "
    "etc/docker etc/containerd etc/containers etc/kubernetes etc/cni etc/lxc etc/libvirt "
    # The engine's own, and the agent's.
    "etc/codex-ops opt/codex-ops lib/codex-ops log/codex-ops lock/codex-ops run/codex-ops etc/codex .codex "
).split()  # fmt: skip

# Only from the root folder down.
_FROM_ROOT = (
    "bin sbin lib lib32 lib64 libx32 boot dev proc sys usr/bin usr/sbin usr/lib usr/lib32 usr/lib64 usr/libexec usr/local/bin usr/local/sbin "
    "usr/local/lib usr/local/lib64 usr/local/libexec root/bin var/lib/dpkg var/lib/rpm var/lib/sudo"
).split()

#: Patterns of the paths that no slice may touch, in the form of a policy's ``forbidden_paths``.
FORBIDDEN = (*_ANYWHERE, *(f"/{path}" for path in _FROM_ROOT))
