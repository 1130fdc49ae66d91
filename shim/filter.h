/* Programs for seccomp(2), read as the kernel reads them: what would one say of a call? */
#ifndef WEFT_FILTER_H
#define WEFT_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/**
 * The verdict of a filter about a system call: SECCOMP_RET_ something. A program that the kernel
 * would not take is SECCOMP_RET_ALLOW, for it will not be installed.
 */
uint32_t weft__filter_verdict(const struct sock_filter *program, unsigned int length,
			      const struct seccomp_data *call);

#endif
