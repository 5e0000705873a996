#!/bin/sh
# Runs a command where programs are that this machine doesn't have: in namespaces
# of its own (users, mounts, processes, network), so that nothing changes outside.
#
#   sh enter.sh USR ETC EMULATOR COMMAND...
#     USR and ETC are put over /usr and /etc, EMULATOR runs programs for arm64;
#     `-` stands for none.
set -eu

# The header of an ELF file for arm64: 64 bits, little-endian, executable or shared.
MAGIC='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
MASK='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

put_over() {
  if [ "$1" != - ]; then
    mount -t overlay -o "ro,lowerdir=$1:$2" listenfds "$2"
  fi
}

if [ "$1" = inside ]; then
  usr=$2 etc=$3 emulator=$4
  shift 4
  mount --make-rprivate /
  mount -t proc proc /proc
  put_over "$usr" /usr
  put_over "$etc" /etc
  if [ "$emulator" != - ]; then
    # Of this namespace of users alone, since Linux 6.7. F opens the emulator
    # here, P keeps the name of the program, O and C open it as its user.
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    printf '%s' ":arm64:M::$MAGIC:$MASK:$emulator:FPOC" \
      > /proc/sys/fs/binfmt_misc/register
  fi
  ip link set lo up
  exec "$@"
fi
exec unshare --user --map-root-user --mount --pid --fork --kill-child --net \
  sh "$0" inside "$@"
