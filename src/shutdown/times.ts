/**
 * The times of graceful shutdown and idle exit, in one place so that tests can
 * shorten them.
 *
 * @module
 */

/** Times in milliseconds, and the number of ticks of `tickMs` for two of them. */
export const shutdownTimes = {
  /** Interval between two checks of a server that drains. */
  tickMs: 10,
  /**
   * Ticks without a new request after which idle connections are closed: the
   * time that a client has to send what it had begun to send. Counted and not
   * timed, because after a pause of the whole process time says nothing.
   */
  quietTicks: 25,
  /**
   * Ticks after which idle connections are closed although requests still come:
   * from clients that ignore `Connection: close`, or that speak HTTP/2, which
   * learns it from GOAWAY only.
   */
  maxQuietTicks: 100,
  /**
   * Time without a byte after which a connection that our side has ended is
   * closed, if the peer doesn't close it. Closing at once could reset the
   * connection before the response has arrived.
   */
  lingerMs: 1000,
  /** Shortest interval between two checks for idleness. */
  minIdleCheckMs: 10,
  /** Longest interval between two checks for idleness. */
  maxIdleCheckMs: 1000,
  /**
   * Time that the connection which a process was started for has to be accepted,
   * where the accept queue can't be read.
   */
  firstConnectionMs: 1000,
  /**
   * Time that the process has to end by itself after its servers were idle. It
   * may not stay: the service manager would take it for one that still serves.
   */
  exitMs: 5000,
};
