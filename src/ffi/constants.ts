/**
 * Constants of Linux that are the same on x86_64 and arm64, under their names
 * in C. The address families are in `core/sockaddr.ts`.
 *
 * @module
 */

export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_SYMLINK_NOFOLLOW = 0x100;

export const CLOCK_MONOTONIC = 1;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;

/** Error numbers, see `errno(3)`. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
export const EEXIST = 17;
export const ENOTDIR = 20;
export const ENODEV = 19;
export const EPROTOTYPE = 91;
export const EAFNOSUPPORT = 97;
export const ENOMEM = 12;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOBUFS = 105;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ECONNREFUSED = 111;
export const EPROTONOSUPPORT = 93;
export const ESOCKTNOSUPPORT = 94;
export const ETIMEDOUT = 110;

export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const FD_CLOEXEC = 1;

/** Types of file systems, see `statfs(2)`. */
export const MQUEUE_MAGIC = 0x19800202n;
export const PID_FS_MAGIC = 0x50494446n;

export const MSG_PEEK = 2;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

export const O_ACCMODE = 3;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;

export const PATH_MAX = 4096;
export const POLLHUP = 0x10;
export const POLLIN = 1;
export const POLLOUT = 4;
export const SCM_RIGHTS = 1;
export const SHUT_RDWR = 2;

/** File types in `st_mode`, see `inode(7)`. */
export const S_IFMT = 0o170000;
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFSOCK = 0o140000;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_UDPLITE = 136;
export const SOL_SOCKET = 1;

export const STATX_TYPE = 0x0001;
export const STATX_MTIME = 0x0040;
export const STATX_INO = 0x0100;

export const SYS_PIDFD_OPEN = 434;

export const TCP_INFO = 11;
/** The state of a listening socket in `struct tcp_info`. */
export const TCP_LISTEN = 10;
