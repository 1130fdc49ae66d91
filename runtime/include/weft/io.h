/*
 * Reading, writing and waiting for descriptors, so that the other tasks run meanwhile.
 *
 *     static void *echo(void *arg)
 *     {
 *         int fd = *(int *)arg;
 *         char bytes[512];
 *         ssize_t n;
 *
 *         while ((n = weft_recv(fd, bytes, sizeof(bytes), 0, weft_after(10 * WEFT_S))) > 0)
 *             if (weft_write_all(fd, bytes, (size_t)n, WEFT_FOREVER, NULL) != 0)
 *                 break;
 *         return NULL;
 *     }
 *
 * They are the calls of the same names with a deadline, and return what those return, or a negative
 * errno: errno itself stays as it is. What can be done at once is done whatever the deadline says, with
 * one of 0 exactly then. A raise, too, ends what has to wait; then nothing has been done, unless the
 * call tells of a part (weft_read_all(), weft_write_all()). Whether a descriptor has O_NONBLOCK makes
 * no difference and is never changed, for other processes may share it. SIGPIPE is not sent.
 *
 * Sockets, pipes and the like are waited for by readiness. Of a terminal, of a FIFO before Linux 6.3
 * and of a listener only that tells: another process that takes what there was in between makes such a
 * call block all tasks of the thread. What of a file is not cached, opening one and looking up names is
 * done by threads of the library's, which block in their stead.
 */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo;

/** What weft_wait_fd() waits for, and returns; or-ed together. */
#define WEFT_IN 1
#define WEFT_OUT 2

/**
 * Wait until a descriptor can be read or written without waiting (poll(2)).
 *
 * A descriptor that is never waited for, such as a regular file, is ready at once.
 *
 * Switches   yes, unless it is ready
 * Context    a task
 *
 * @param events       WEFT_IN, WEFT_OUT or both
 * @param deadline_ns  when to give up, or WEFT_FOREVER
 *
 * @return the events of those asked for that came true; an error or a hang-up of the descriptor
 * makes all of them true, so that the next call on it tells; or
 *   -ETIMEDOUT  the deadline came first
 *   -EBADF      fd is not open
 *   -EINVAL     events is empty or has other bits, or deadline_ns is negative
 *   -ENOMEM     no room to keep it
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_wait_fd(int fd, int events, int64_t deadline_ns);

/**
 * Wait until one of several descriptors is ready (poll(2)).
 *
 * Switches   yes, unless one is ready
 * Context    a task
 * Ownership  fds stays the caller's; its revents are set
 *
 * @param n  how many there are; 0: only the time is waited for
 *
 * @return how many are ready, or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     fds is NULL, n is beyond the limit of descriptors, or deadline_ns is negative
 *   -EFAULT     fds is no memory of the caller's
 *   -ENOMEM, -EPERM  as weft_wait_fd()
 *   what was raised
 */
WEFT_API int weft_poll(struct pollfd *fds, nfds_t n, int64_t deadline_ns);

/**
 * Read what there is (read(2)), or wait for it.
 *
 * From a file the position moves on, so the read of one that has begun is waited for whatever is raised,
 * and whatever the deadline.
 *
 * Switches   yes
 * Context    a task
 *
 * @return how many bytes, 0 at the end; or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     size_bytes is more than SSIZE_MAX, deadline_ns is negative, or as read(2)
 *   -EBADF      fd is not open for reading
 *   -EFAULT     bytes is no memory of the caller's
 *   -ENOMEM, -EPERM  as weft_wait_fd()
 *   -EAGAIN     no thread could be made to read a file
 *   -EMFILE     no descriptor to wait for that with
 *   another error of read(2)
 *   what was raised
 */
WEFT_API ssize_t weft_read(int fd, void *bytes, size_t size_bytes, int64_t deadline_ns);

/**
 * Write what there is room for (write(2)), or wait for some.
 *
 * A part that has been written is all that is: nothing is waited for after that.
 *
 * Switches   yes
 * Context    a task
 *
 * @return how many bytes, or
 *   -EPIPE  nobody reads any more
 *   what weft_read() returns, of write(2)
 */
WEFT_API ssize_t weft_write(int fd, const void *bytes, size_t size_bytes, int64_t deadline_ns);

/**
 * Read into several places (readv(2)); as weft_read().
 *
 * Switches   yes
 * Context    a task
 *
 * @return as weft_read(), or
 *   -EINVAL  n is negative or more than IOV_MAX
 */
WEFT_API ssize_t weft_readv(int fd, const struct iovec *places, int n, int64_t deadline_ns);

/**
 * Write from several places (writev(2)); as weft_write().
 *
 * Switches   yes
 * Context    a task
 *
 * @return as weft_write(), or
 *   -EINVAL  n is negative or more than IOV_MAX
 */
WEFT_API ssize_t weft_writev(int fd, const struct iovec *places, int n, int64_t deadline_ns);

/**
 * Read exactly so many bytes.
 *
 *     size_t done = 0;
 *     int err = weft_read_all(fd, bytes, sizeof(bytes), weft_after(WEFT_S), &done);
 *
 * Switches   yes
 * Context    a task
 *
 * @param done  how many of them have been read, before and after, however it ends: the same call again
 *              goes on. NULL: none before, and it need not be told
 *
 * @return 0, or
 *   -ENODATA  the end came first
 *   -EINVAL   *done is more than size_bytes
 *   what weft_read() returns
 */
WEFT_API int weft_read_all(int fd, void *bytes, size_t size_bytes, int64_t deadline_ns,
			   size_t *done);

/**
 * Write all of it.
 *
 * Switches   yes
 * Context    a task
 *
 * @param done  as of weft_read_all()
 *
 * @return 0, or
 *   -EINVAL  *done is more than size_bytes
 *   what weft_write() returns
 */
WEFT_API int weft_write_all(int fd, const void *bytes, size_t size_bytes, int64_t deadline_ns,
			    size_t *done);

/**
 * Receive from a socket (recv(2)).
 *
 * Switches   yes
 * Context    a task
 *
 * @param flags  MSG_DONTWAIT: as a deadline of 0, but -EAGAIN; MSG_WAITALL does nothing
 *
 * @return as weft_read(), or
 *   -ENOTSOCK  fd is no socket
 */
WEFT_API ssize_t weft_recv(int fd, void *bytes, size_t size_bytes, int flags, int64_t deadline_ns);

/**
 * Receive from a socket, and who sent it (recvfrom(2)).
 *
 * Switches   yes
 * Context    a task
 *
 * @param addr       room for *addr_len bytes, or NULL
 * @param addr_len   how long it is then
 *
 * @return as weft_recv()
 */
WEFT_API ssize_t weft_recvfrom(int fd, void *bytes, size_t size_bytes, int flags,
			       struct sockaddr *addr, socklen_t *addr_len, int64_t deadline_ns);

/**
 * Send what there is room for (send(2)).
 *
 * Switches   yes
 * Context    a task
 *
 * @param flags  MSG_DONTWAIT: as a deadline of 0, but -EAGAIN
 *
 * @return as weft_write(), or
 *   -ENOTSOCK  fd is no socket
 */
WEFT_API ssize_t weft_send(int fd, const void *bytes, size_t size_bytes, int flags,
			   int64_t deadline_ns);

/**
 * Send to somebody (sendto(2)).
 *
 * Switches   yes
 * Context    a task
 *
 * @return as weft_send()
 */
WEFT_API ssize_t weft_sendto(int fd, const void *bytes, size_t size_bytes, int flags,
			     const struct sockaddr *addr, socklen_t addr_len, int64_t deadline_ns);

/**
 * Take the next connection of a listener (accept4(2)).
 *
 * Switches   yes
 * Context    a task
 * Ownership  the descriptor is the caller's to close
 *
 * @param addr   where the other side's address is put, *addr_len bytes at most; or NULL
 * @param flags  SOCK_NONBLOCK, SOCK_CLOEXEC
 *
 * @return a descriptor, or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     deadline_ns is negative, flags has other bits, or fd does not listen
 *   -EBADF, -ENOTSOCK, -EOPNOTSUPP  fd is not such a thing
 *   -EMFILE, -ENFILE  no descriptor left
 *   -ENOMEM, -EPERM   as weft_wait_fd()
 *   another error of accept(2)
 *   what was raised
 */
WEFT_API int weft_accept(int fd, struct sockaddr *addr, socklen_t *addr_len, int flags,
			 int64_t deadline_ns);

/**
 * Connect a socket (connect(2)).
 *
 * A connection that is given up may come about all the same: close the socket. One without O_NONBLOCK
 * costs a thread for the time.
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0, or
 *   -ETIMEDOUT  the deadline came first, or the other side does not answer
 *   -EINVAL     deadline_ns is negative, or addr_len no length of an address
 *   -EFAULT     addr is NULL
 *   -EAGAIN     no thread could be made; of a Unix socket with O_NONBLOCK: the listener is full
 *   -ENOMEM, -EMFILE, -EPERM  as weft_read()
 *   another error of connect(2)
 *   what was raised
 */
WEFT_API int weft_connect(int fd, const struct sockaddr *addr, socklen_t addr_len,
			  int64_t deadline_ns);

/**
 * Look up a name (getaddrinfo(3)), by a thread of the library's.
 *
 * Switches   yes
 * Context    a task
 * Ownership  *ret_list is freed by freeaddrinfo(3); the rest is copied
 *
 * @param node     a name or number, or NULL
 * @param service  a name or number, or NULL
 * @param hints    or NULL
 *
 * @return 0, or a positive r: gai_strerror(-r) says why there is none; or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     ret_list is NULL, or deadline_ns is negative
 *   -EAGAIN     no thread could be made
 *   -ENOMEM, -EMFILE, -EPERM  as weft_read()
 *   another error of the system's (EAI_SYSTEM)
 *   what was raised
 */
WEFT_API int weft_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			      int64_t deadline_ns, struct addrinfo **ret_list);

/**
 * Open a file (open(2)), by a thread of the library's.
 *
 * Switches   yes
 * Context    a task
 * Ownership  the descriptor is the caller's to close
 *
 * @param mode  of a file that is made
 *
 * @return a descriptor; what is opened after the deadline is closed again; or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     path is NULL, deadline_ns is negative, or as open(2)
 *   -EAGAIN     no thread could be made
 *   -ENOMEM, -EMFILE, -EPERM  as weft_read()
 *   another error of open(2)
 *   what was raised
 */
WEFT_API int weft_open(const char *path, int flags, mode_t mode, int64_t deadline_ns);

/**
 * Read at a place of a file (pread(2)).
 *
 * What is cached is read at once; a thread of the library's waits for the disk.
 *
 * Switches   yes, unless it is cached
 * Context    a task
 *
 * @return how many bytes, 0 at the end; at most 1 MB at a time of what is not cached; or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     size_bytes is more than SSIZE_MAX, offset or deadline_ns is negative
 *   -EAGAIN     no thread could be made
 *   -ESPIPE     fd is no file
 *   -EBADF, -EFAULT, -ENOMEM, -EMFILE, -EPERM  as weft_read()
 *   another error of pread(2)
 *   what was raised
 */
WEFT_API ssize_t weft_pread(int fd, void *bytes, size_t size_bytes, off_t offset,
			    int64_t deadline_ns);

/**
 * Write at a place of a file (pwrite(2)).
 *
 * A write that is given up is made all the same, unless the deadline was 0.
 *
 * Switches   yes
 * Context    a task
 * Ownership  the bytes are copied
 *
 * @return how many bytes, at most 1 MB at a time; or as weft_pread(), of pwrite(2)
 */
WEFT_API ssize_t weft_pwrite(int fd, const void *bytes, size_t size_bytes, off_t offset,
			     int64_t deadline_ns);

/**
 * Wait until what was written to a file is on its disk (fsync(2)).
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0, or
 *   -ETIMEDOUT  the deadline came first; the disk goes on
 *   -EINVAL     deadline_ns is negative, or fd is no file
 *   -EBADF      fd is not open
 *   -EAGAIN     no thread could be made
 *   -ENOMEM, -EMFILE, -EPERM  as weft_read()
 *   another error of fsync(2)
 *   what was raised
 */
WEFT_API int weft_fsync(int fd, int64_t deadline_ns);

/**
 * Wait until a child process has ended, and take its status (waitpid(2)).
 *
 * Never takes that of another child.
 *
 * Switches   yes, unless it has ended
 * Context    a task
 *
 * @param ret_status  for WIFEXITED() and the like; may be NULL
 *
 * @return 0, or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     pid is not positive, or deadline_ns is negative
 *   -ECHILD     there is no such child, or somebody else has taken its status
 *   -EAGAIN     before Linux 5.3: no thread could be made
 *   -ENOMEM, -EMFILE, -EPERM  as weft_read()
 *   what was raised
 */
WEFT_API int weft_waitpid(pid_t pid, int64_t deadline_ns, int *ret_status);

#ifdef __cplusplus
}
#endif

#endif
