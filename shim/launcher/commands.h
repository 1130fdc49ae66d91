#ifndef WEFT_LAUNCHER_COMMANDS_H
#define WEFT_LAUNCHER_COMMANDS_H

#include <stdbool.h>

/**
 * Print to stdout what weft finds of a program, and a verdict. Never runs it.
 *
 * @return the exit status: 0 if weft can work on it here, 127 if there is no
 *   such program, else 126
 */
int weft__check_print(const char *name);

/**
 * Print to stdout each system call instruction of a program and the libraries
 * it needs: the file, the address in it, the call's number and name, and what
 * weft does to it. Never runs the program.
 *
 * @return the exit status, as of weft__check_print()
 */
int weft__check_sites_print(const char *name);

/**
 * Print the table of system calls to stdout.
 *
 * markdown   only what weft answers and what blocks, as a table for README.md
 */
void weft__calls_print(bool markdown);

#endif
