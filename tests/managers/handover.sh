#!/bin/sh
# Passes the listening socket on descriptor 0 to a program as systemd would.
#   sh handover.sh PROGRAM...
exec 3<&0 </dev/null
export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$
exec "$@"
