#!/bin/sh
# Boots systemd as the first process of namespaces of its own, with a file system
# of its own that shows this machine's programs and has nothing to write to.
#
#   unshare --mount sh machine.sh keep CHECKOUT NAME=PROGRAM...
#     Prints the number of systemd's process as this machine sees it. Everything
#     ends when its standard input does, however that comes about: the tests
#     that have the other end may be killed.
#   unshare --mount sh machine.sh try
#     Goes the same way without systemd; its status tells whether there is one.
#
# LISTENFDS_SYSTEMD_USR is the /usr of another systemd, which is put over that of
# this machine. With LISTENFDS_WITHOUT_NSS, the users of systemd's own have no names
# and no homes, as on minimal systems without the package libnss-systemd.
set -eu

# A directory that every Linux has, and that nobody needs to see here.
stage=/sys/fs/cgroup

# A root of its own: the programs of this machine, which can't be changed, and
# what else a program expects, in memory.
build_root() {
  mount -t tmpfs -o mode=755 listenfds "$stage"
  cd "$stage"
  mkdir -m 755 dev home mnt opt proc root run srv sys usr var
  mkdir -m 755 var/cache var/lib var/log
  mkdir -m 1777 tmp var/tmp
  ln -s /run var/run
  for directory in bin lib lib32 lib64 libx32 sbin usr; do
    if [ -L "/$directory" ]; then
      cp -P "/$directory" .
    elif [ -d "/$directory" ]; then
      mkdir -p "$directory"
      show "/$directory" "$directory"
    fi
  done
  # Another systemd, with the libraries that it needs, over that of this machine.
  if [ -n "${LISTENFDS_SYSTEMD_USR:-}" ]; then
    mount -t overlay -o "ro,lowerdir=$LISTENFDS_SYSTEMD_USR:/usr" listenfds usr
  fi
  cp -a /etc .
  if [ -n "${LISTENFDS_WITHOUT_NSS:-}" ]; then
    sed -i 's/ systemd//' etc/nsswitch.conf
  fi
  # No unit of this machine has a place here, nor what makes some of them.
  rm -rf etc/systemd
  mkdir -p etc/systemd/system
  tr -d - < /proc/sys/kernel/random/uuid > etc/machine-id
  for directory in usr/local/bin usr/lib/systemd/system-generators; do
    if [ -d "$directory" ]; then
      mount -t tmpfs -o mode=755 listenfds "$directory"
    fi
  done

  mount -t tmpfs -o mode=755 listenfds dev
  mkdir -m 755 dev/pts
  mkdir -m 1777 dev/shm dev/mqueue
  for node in null zero full random urandom tty; do
    : > "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
  done
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
  mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  mount -t mqueue mqueue dev/mqueue

  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 listenfds run
}

# Shows a file or directory of this machine at another place, read-only.
show() {
  mount --bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}

# The checkout and the runtimes, where hardened services can read them.
show_programs() {
  mkdir opt/listenfds
  show "$1" opt/listenfds
  shift
  for program in "$@"; do
    : > "usr/local/bin/${program%%=*}"
    show "${program#*=}" "usr/local/bin/${program%%=*}"
  done
}

enter_root() {
  pivot_root . .
  umount -l .
  cd /
}

target() {
  printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$1" \
    > "/etc/systemd/system/$1.target"
}

# Runs as the first process of its namespaces, in the control group that is to
# be the root of all that systemd sees.
boot() {
  # Its number outside: no other /proc is mounted yet.
  read -r pid rest < /proc/self/stat
  build_root
  show_programs "$@"
  enter_root
  # What all units depend on by default would start a whole system.
  for name in sysinit basic sockets multi-user shutdown tests; do
    target "$name"
  done
  echo 'Wants=systemd-journald.service' >> /etc/systemd/system/tests.target
  echo 'After=systemd-journald.service' >> /etc/systemd/system/tests.target
  ln -s /dev/null /etc/systemd/system/systemd-journald-audit.socket
  echo "$pid"
  exec >&2
  exec env -i container=listenfds PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=tests.target \
    --log-target=journal-or-kmsg
}

# Removes a control group and those in it.
remove_group() {
  find "$1" -depth -type d -exec rmdir {} +
}

# Starts the first process, and cleans up after it.
keep() {
  # Nobody else sees what is mounted from here on, and it goes with the last
  # process that does.
  mount --make-rprivate /
  mount -t cgroup2 cgroup2 "$stage"
  # Groups are all that is left of one whose keeper was killed, too.
  for group in "$stage"/listenfds-*; do
    if [ -d "$group" ] && [ ! -d "/proc/${group##*-}" ] &&
      grep -q 'populated 0' "$group/cgroup.events"; then
      remove_group "$group" || :
    fi
  done
  group=$stage/listenfds-$$
  mkdir "$group"
  # A terminal's signals end the tests, and so the input.
  trap '' HUP INT TERM
  exec 3<&0 < /dev/null
  # shellcheck disable=SC2016
  setpriv --pdeathsig KILL \
    unshare --pid --fork --kill-child --net --ipc --uts --mount sh -c '
      trap - HUP INT TERM
      echo 0 > "$1/cgroup.procs"
      shift
      exec unshare --cgroup sh "$@"
    ' sh "$group" "$0" "$@" 3<&- &
  child=$!
  reader=
  if [ "$1" = boot ]; then
    {
      while read -r _ <&3; do :; done
      echo 1 > "$group/cgroup.kill" || kill -KILL "$child"
    } &
    reader=$!
  fi
  exec 3<&-
  status=0
  wait "$child" || status=$?
  if [ -n "$reader" ]; then
    kill -KILL "$reader" 2> /dev/null || :
    wait "$reader" || :
  fi
  # Killed processes leave their group a moment later.
  left=100
  until remove_group "$group" 2> /dev/null; do
    left=$((left - 1))
    if [ "$left" = 0 ]; then
      echo "The control group $group can't be removed" >&2
      exit 1
    fi
    sleep 0.05
  done
  exit "$status"
}

case $1 in
  keep)
    shift
    keep boot "$@"
    ;;
  try) keep try-inside ;;
  boot)
    shift
    boot "$@"
    ;;
  try-inside)
    build_root
    enter_root
    test -x /lib/systemd/systemd
    ;;
esac
