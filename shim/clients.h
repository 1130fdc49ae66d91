/* To which descriptors of an iterative server (iterative.h) clients come. */
#ifndef WEFT_CLIENTS_H
#define WEFT_CLIENTS_H

#include <stdbool.h>

struct sockaddr;

/** Those of a list of ports alone are wanted; the list is one that rules.c has judged. */
void weft__clients_only_at(const char *list);

/** Whether clients of a socket are to be served at once. */
bool weft__clients_wanted(long number);

/** bind(2) has been made by the program: if it says where, datagrams there come from clients. */
void weft__clients_bound(int number, const struct sockaddr *address);

/** Whether datagrams of a socket come from clients. */
bool weft__clients_send_to(long number);

/** Whether connections or datagrams of clients come to a descriptor. */
bool weft__clients_come_to(long number);

#endif
