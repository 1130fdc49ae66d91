/*
 * What all the demo servers do around their connections. Blocking sockets, one
 * thread wherever one must wait: nothing here is chosen to suit a scheduler.
 */
#ifndef DEMO_NET_H
#define DEMO_NET_H

#include <stddef.h>

/**
 * Listen on 127.0.0.1 and say so ("listening on PORT") on standard output.
 *
 * Port 0 takes any free port; the line names the one taken. SIGPIPE is ignored
 * from here on, so that a client that left is an error of write(). Ends the
 * program with a message when the port cannot be had.
 *
 * @param port_text the port as the user typed it
 * @return the listening descriptor
 */
int listen_local(const char *port_text);

/**
 * Wait for the next connection.
 *
 * Out of descriptors, it tries again after a moment: connections that end free
 * some. Ends the program when the listener itself is broken.
 *
 * @return a connected descriptor with TCP_NODELAY set
 */
int accept_next(int listener);

/** Run run(arg) in a detached thread of its own: 0 or an error number. */
int start_thread(void *(*run)(void *arg), void *arg);

/**
 * Run serve(fd) in a detached thread of its own; fd is the thread's to close.
 * Without room for another thread, fd is closed and the server goes on.
 */
void serve_in_thread(void *(*serve)(void *fd), int fd);

/**
 * Read what there is, as read(2), but not interrupted by signals.
 */
long read_some(int fd, void *buf, size_t len);

/**
 * Write all of buf.
 *
 * @return 0, or -1 with errno set
 */
int write_all(int fd, const void *buf, size_t len);

#endif
