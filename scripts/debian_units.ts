/**
 * The units that Debian's packages ship: of every package of Debian 13 that has
 * a socket unit, as its list of contents names them.
 *
 * @module
 */

import { fetchDebian, type Fetched } from "./debian.ts";

const PACKAGES = `
  acpi-fakekey acpid approx atftpd avahi-daemon beanstalkd chasquid
  clamav-daemon cloud-init cockpit-ws containernetworking-plugins csync2
  cups-daemon custodia dbus-system-bus-common dbus-user-session dicod
  dirmngr dmeventd dnscrypt-proxy dnss docker.io dovecot-core drkonqi
  erlang-base fcgiwrap fcoe-utils foot gcr4 gnome-keyring gophernicus gpg
  gpg-agent gpsd greylistd gssproxy hddemux ibacm incus-base inn
  json2file-go knxd lbcd leafnode libvirt-daemon libvirt-daemon-lock
  libvirt-daemon-log lirc lldpad lvm2 lxd mariadb-server micro-httpd
  monado-service mpd multipath-tools munin-node-c netavark nix-setup-systemd
  nsca-ng-server nyancat-server oidentd onak open-iscsi openssh-client
  openssh-server owserver packagekit pcscd pgagroal pgbouncer pipewire
  pipewire-pulse podman proftpd-core pulseaudio qemu-system-common rbldnsd
  rpcbind rtags sane-utils scanbd snapd snmptrapd speech-dispatcher
  spice-vdagent sssd-ad-common sssd-common sssd-kcm swupdate sympa systemd
  systemd-boot systemd-container systemd-coredump systemd-journal-remote
  systemd-oomd systemd-userdbd tang targetcli-fb tinysshd triggerhappy udev
  uucp uuid-runtime uwsgi-core xrootd-server yaskkserv
  yubikey-touch-detector
`.trim().split(/\s+/);

/** Fetches the units, once. */
export function fetchDebianUnits(): Promise<Fetched> {
  return fetchDebian({
    name: "units",
    suite: "trixie",
    packages: PACKAGES,
    paths: ["usr/lib/systemd", "lib/systemd", "etc/systemd"],
  });
}
