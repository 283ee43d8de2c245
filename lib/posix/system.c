/*
 * What programs can ask beyond POSIX (<sys/faultline.h>): lists and counters of the servers and the
 * kernel.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <string.h>
#include <sys/faultline.h>
#include <unistd.h>

/* Ctrl-C goes there from now on. */
int system_foreground(pid_t pid)
{
	struct message message = { .w = { (uint64_t)pid } };
	status_t status = posix_request(SLOT_PROC, PROC_FOREGROUND, 0, &message);

	return status == ST_OK ? 0 : posix_fail(status, ABSENT_PROCESS);
}

/* Ends the machine. */
int system_shutdown(int machine_status)
{
	struct message message = { .w = { (uint64_t)(unsigned)machine_status & 0xff } };
	status_t status = posix_request(SLOT_PROC, PROC_SHUTDOWN, 0, &message);

	return status == ST_OK ? 0 : posix_fail(status, EIO);
}

/* Asks for a part of a list that the reply's payload holds.  Returns the elements copied. */
static int list_request(handle_t server, uint32_t label, struct message *message, void *list,
	size_t element_bytes, size_t most)
{
	const void *page = posix_message_page();
	status_t status = posix_request(server, label, 0, message);
	size_t count = TAG_BYTES(message->tag) / element_bytes;

	if (status != ST_OK)
		return posix_fail(status, ABSENT_PROCESS);
	if (count > message->w[0])
		count = message->w[0];
	if (count > most)
		count = most;
	memcpy(list, page, count * element_bytes);
	return (int)count;
}

/* Processes from *from on.  A list shorter than the reply is gone on with behind its last element.
   */
int system_processes(pid_t *from, struct proc_entry *list, size_t most)
{
	struct message message = { .w = { (uint64_t)*from } };
	int count = list_request(SLOT_PROC, PROC_LIST, &message, list, sizeof(*list), most);

	if (count < 0)
		return -1;
	*from = (uint64_t)count < message.w[0] && count > 0 ? (pid_t)list[count - 1].pid + 1
							    : (pid_t)message.w[1];
	return count;
}

/* Regions from *from on, likewise. */
int system_maps(pid_t pid, uint64_t *from, struct pager_region *list, size_t most)
{
	struct message message = { .w = { (uint64_t)pid, *from } };
	int count = list_request(SLOT_PROC, PROC_MAPS, &message, list, sizeof(*list), most);

	if (count < 0)
		return -1;
	*from = (uint64_t)count < message.w[0] && count > 0 ? list[count - 1].end : message.w[1];
	return count;
}

/* Asks for a structure that the reply's payload holds. */
static int structure_request(uint32_t label, void *result, size_t bytes)
{
	struct message message = { 0 };
	const void *page = posix_message_page();
	status_t status = posix_request(SLOT_PAGER, label, 0, &message);

	if (status != ST_OK)
		return posix_fail(status, EIO);
	if (TAG_BYTES(message.tag) != bytes)
		return posix_fail_errno(EIO);
	memcpy(result, page, bytes);
	return 0;
}

/* The pager's counters. */
int system_pager_stat(struct pager_stat *stat)
{
	return structure_request(PAGER_STAT, stat, sizeof(*stat));
}

/* The same about the calling process alone. */
int system_space_stat(struct pager_space_stat *stat)
{
	return structure_request(PAGER_SPACE_STAT, stat, sizeof(*stat));
}

/* The kernel's counters. */
int system_counters(struct info_counters *counters)
{
	const void *page = posix_message_page();
	status_t status = kernel_call(CALL_INFO, INFO_COUNTERS, 0, 0, 0, 0, 0, NULL);

	if (status != ST_OK)
		return posix_fail(status, EIO);
	memcpy(counters, page, sizeof(*counters));
	return 0;
}

/* Waits until the pager has no job left. */
int system_settle(void)
{
	struct message message = { .w = { PAGER_SETTLE } };
	status_t status = posix_request(SLOT_PROC, PROC_PAGER, 0, &message);

	return status == ST_OK ? 0 : posix_fail(status, EIO);
}

/* What a status code means. */
const char *system_status_text(int status)
{
	switch ((status_t)status) {
#define STATUS_TEXT(name, value, text) \
	case ST_##name:                \
		return text;
		STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
	}
	return "unknown status";
}
