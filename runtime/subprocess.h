/* A child process as its own families see it. */
#ifndef WEFT_SUBPROCESS_H
#define WEFT_SUBPROCESS_H

#include "native.h"

struct weft_process {
	pid_t pid;
	int fd;         /* negative: this kernel has none */
	bool ended;     /* its status has been taken */
	int lost, code; /* 0, or -ECHILD: by somebody else; else the code */
	unsigned int users;
	weft_stream *stream[3];
};

#endif
