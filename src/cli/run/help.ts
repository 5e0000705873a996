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
      web=8080   web=127.0.0.1:8080   web=[::1]:8080              TCP
      dns=udp:5353   dns=udp:127.0.0.1:5353                       UDP
      admin=./admin.sock   admin=/run/app.sock   admin=@abstract  Unix
      A port alone is that of 127.0.0.1. With port 0, the system chooses a
      port, which is printed. A path needs a slash, or "unix:" in front.
  --from-unit FILE …     the sockets of socket units, see systemd.socket(5),
                         with drop-ins. A name that this directory doesn't
                         have is searched in systemd's directories. Settings
                         that are unsupported or misspelt are reported

Options:
  --watch[=GLOB …]       restart the command when files change and have settled;
                         the sockets stay open and clients wait meanwhile.
                         Without GLOB, watch source files (ts, js, json, html,
                         css, wasm, yaml, toml … and the endings of files that
                         the command names) in the directories of these files
                         (else this directory) and below, but not node_modules,
                         coverage or what begins with a dot, except .env files.
                         A GLOB, a file or a directory means all that it matches
  --ignore GLOB          leave out files and directories; repeatable. A GLOB
                         without a slash matches names in each directory
  --lazy                 wait for the first connection or datagram on any of the
                         sockets, then start the command
  --accept               wait for connections, and start a command for each one,
                         as descriptor 3, with REMOTE_ADDR and REMOTE_PORT
  --instances NUMBER     start so many processes on the same sockets, or one for
                         each CPU ("auto"); each line of their output begins
                         with the instance's number. --watch restarts one after
                         another. The sockets don't block, as NonBlocking=yes
  --env-file FILE        read variables; those already set stay unchanged. Node
                         takes the option for its own, unless "--" is before the
                         script: node -- SCRIPT run …
  --preload[=NAME=ADDRESS …]
                         for a program that knows nothing of the library: give
                         it the sockets NAME when it asks for ADDRESS, such as
                         web=3000. Without entries, it asks for the addresses of
                         the sockets
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
