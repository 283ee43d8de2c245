/*
 * Servers that are clients of the pager: how they are started, and started again.
 *
 * A server's port is init's.  It outlives the server, so every handle to it stays good over a
 * restart; what the old server had received and not answered fails with DEAD, what still waits is
 * served by the new one.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef INIT_SERVERS_H
#define INIT_SERVERS_H

#include "init.h"

/* Makes the ports of the script's servers and init's handles to them; starts raw servers at
   their lines. */
void servers_prepare(void);

/* Gives the pager the handles that every program gets. */
void servers_set_templates(void);

/* Starts every server that is not running (at first: all), and tells the file server its files
   when it is new. Ends the machine when a server fails too often. */
void servers_start_all(void);

/* Init's slot with the port behind one of the fixed slots; 0: no such server was prepared yet. */
uint32_t server_port_slot(uint32_t fixed_slot);

/* For the supervisor.  The name of what script line `index` started. */
const char *server_name_of(uint32_t index);
bool server_is_essential(uint32_t index);

/* For the supervisor: the server has failed.  Its callers fail; the worker will restart it.  May
   be called while the worker is anywhere, also in a call to this very server. */
void server_note_failure(uint32_t index, void *message_page);

#endif
