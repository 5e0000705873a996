/**
 * The text of `listenfds run --help`.
 *
 * @module
 */

/** The text. */
export const RUN_HELP =
  `Binds sockets, then runs a command that is handed them by socket activation:
LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, and descriptors from 3 on.

Usage: listenfds run --socket NAME=ADDRESS … [OPTION …] -- COMMAND ARGS…
       listenfds run --from-unit FILE.socket … [OPTION …] -- COMMAND ARGS…

Sockets, handed over in this order:
  --socket NAME=ADDRESS  a socket, and its name; names may repeat
      web=127.0.0.1:8080   web=[::1]:8080   web=localhost:8080    TCP
      dns=udp:127.0.0.1:5353   dns=udp:[::1]:5353                 UDP
      admin=unix:./admin.sock   admin=unix:@abstract              Unix
      Port 0 lets the system choose; which one it was is shown.
  --from-unit FILE …     those of socket units, see systemd.socket(5); what
                         isn't supported there is named

Options:
  --watch[=GLOB …]       start the command again when files change, with the
                         sockets open: clients wait meanwhile. Without GLOB,
                         files beside and below those that the command names
                         (else in this folder), but in node_modules and .git
  --lazy                 start the command when the first connection or packet
                         is there
  --accept               start one command for each connection, which is its
                         descriptor 3, with REMOTE_ADDR and REMOTE_PORT
  --env-file FILE        read variables; those that are set already stay
  --stop-timeout SECONDS how long the command has to end before SIGKILL, when it
                         is started again or left something running (10)
  --help                 show this

SIGINT and SIGTERM are passed on to the command and what it started, and waited
for; the second one kills. SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH are
passed on.

Paths of Unix sockets are removed at the end. One that was left behind by a
listenfds that was killed is replaced; anything else at a path is left alone.

Exit status: that of the command; 128 and the number of the signal that ended
it, or that ended listenfds while no command was running; 2 if the arguments are
wrong or a socket can't be bound, with nothing left behind; 1 if it failed.
`;
