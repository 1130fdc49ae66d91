/*
 * weft: cooperative tasks on a libuv loop.
 *
 * A program that links libweft.so runs tasks of its own: weft_run() turns the calling thread into
 * a carrier, and what it spawns takes turns on that one kernel thread until it waits. Unmodified
 * programs need none of this: the preload library and the `weft` launcher bring them in. In a
 * program that runs so, each task of this library is a thread, and the ordinary blocking calls of
 * such tasks let the others run, too.
 *
 * Every function says whether it switches, that is, whether other tasks may run before it returns.
 * Times are nanoseconds of CLOCK_MONOTONIC: durations, and deadlines that are made of them by
 * weft_after(). Errors are negative errno values; output parameters are touched on success only.
 */
#ifndef WEFT_H
#define WEFT_H

#include <weft/base.h>
#include <weft/task.h>
#include <weft/greenlet.h>
#include <weft/generator.h>
#include <weft/wait.h>
#include <weft/sync.h>
#include <weft/queue.h>
#include <weft/group.h>
#include <weft/executor.h>
#include <weft/timer.h>
#include <weft/aio.h>
#include <weft/io.h>
#include <weft/select.h>
#include <weft/stream.h>
#include <weft/monkey.h>

#endif
