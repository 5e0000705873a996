/**
 * Text of `listenfds run --help`.
 *
 * @module
 */

/** Text of `listenfds run --help`. */
export const RUN_HELP =
  `Binds sockets, then runs a command that receives them by socket activation:
LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, and descriptors from 3 on.

Usage: listenfds run --socket NAME=ADDRESS … [OPTION …] -- COMMAND ARGS…
       listenfds run --from-unit FILE.socket … [OPTION …] -- COMMAND ARGS…

Sockets, passed in this order:
  --socket NAME=ADDRESS  a socket and its name; names may repeat
      web=127.0.0.1:8080   web=[::1]:8080   web=localhost:8080    TCP
      dns=udp:127.0.0.1:5353   dns=udp:[::1]:5353                 UDP
      admin=unix:./admin.sock   admin=unix:@abstract              Unix
      With port 0, the system chooses a port, which is printed.
  --from-unit FILE …     the sockets of socket units, see systemd.socket(5);
                         unsupported settings are reported

Options:
  --watch[=GLOB …]       restart the command when files change; the sockets stay
                         open and clients wait meanwhile. Without GLOB, watch
                         the directories of the files that the command names
                         (else this directory), except node_modules and .git
  --lazy                 start the command when the first connection or datagram
                         arrives
  --accept               start a command for each connection, as descriptor 3,
                         with REMOTE_ADDR and REMOTE_PORT
  --env-file FILE        read variables; those already set stay unchanged
  --stop-timeout SECONDS time between SIGTERM and SIGKILL when the command is
                         restarted or leaves processes behind (10)
  --help                 show this text

SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH are forwarded to
the command and its child processes. After SIGINT or SIGTERM, listenfds waits
for their end; a second one kills them.

Paths of Unix sockets are removed at the end. A socket that a killed listenfds
left behind is replaced; anything else at a path stays untouched.

Exit status: the status of the command; 128 plus the number of the signal that
ended it, or that ended listenfds while no command was running; 2 if the
arguments are wrong or a socket can't be bound (nothing was changed then); 1 for
any other failure.
`;
