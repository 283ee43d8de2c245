/*
 * Processes: fork, exec, spawn, wait, kill, exit, identity; all requests to the process server.
 *
 * exec and spawn send path, arguments and environment as one run of strings in the message page;
 * what does not fit there is E2BIG.  The strings are copied by guarded copies, so a bad pointer
 * among them is EFAULT.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "posix.h"
#include <signal.h>
#include <sys/faultline.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t own_pid; /* 0: not asked for yet */

/* Strings packed into the message page. */
struct packer {
	uint64_t used;
	int error; /* an errno, or 0 */
};

static void pack_string(struct packer *packer, const char *string)
{
	uint64_t room = PAGE_SIZE - packer->used;
	int64_t bytes;

	if (packer->error)
		return;
	bytes = guarded_copy_string((char *)MESSAGE_PAGE + packer->used, string, room);
	if (bytes < 0)
		packer->error = EFAULT;
	else if ((uint64_t)bytes > room)
		packer->error = E2BIG;
	else
		packer->used += (uint64_t)bytes;
}

/* Packs all strings of a list that ends with NULL; returns their number.  A list that is NULL is
   empty. */
static uint64_t pack_list(struct packer *packer, char *const list[])
{
	uint64_t count = 0;
	char *string;

	while (list && !packer->error) {
		if (guarded_copy(&string, &list[count], sizeof(string)))
			packer->error = EFAULT;
		else if (!string)
			break;
		else
			pack_string(packer, string);
		count++;
	}
	return count;
}

/* Puts path and lists into the message page and their numbers into the message.  Returns the bytes,
   or -1 with errno. */
static int64_t pack_program(
	struct message *message, const char *path, char *const argv[], char *const envp[])
{
	struct packer packer = { 0 };
	int64_t bytes = posix_path_to_page(path);

	if (bytes < 0)
		return -1;
	if ((uint64_t)bytes >= PAGE_SIZE)
		return posix_fail_errno(E2BIG);
	((char *)MESSAGE_PAGE)[bytes] = 0;
	packer.used = (uint64_t)bytes + 1;
	message->w[0] = pack_list(&packer, argv);
	message->w[1] = pack_list(&packer, envp);
	if (packer.error)
		return posix_fail_errno(packer.error);
	return (int64_t)packer.used;
}

/* Sends PROC_EXEC or PROC_SPAWN.  0 with the reply in message, or -1 with errno. */
static int program_request(uint32_t label, struct message *message, const char *path,
	char *const argv[], char *const envp[])
{
	int64_t bytes = pack_program(message, path, argv, envp);
	status_t status;

	if (bytes < 0)
		return -1;
	status = posix_request(SLOT_PROC, label, (uint32_t)bytes, message);
	return status == ST_OK ? 0 : posix_fail(status, ABSENT_FILE);
}

/* Replaces the program; returns only when that fails. */
int execve(const char *path, char *const argv[], char *const envp[])
{
	struct message message = { 0 };

	return program_request(PROC_EXEC, &message, path, argv, envp);
}

/* The same with the environment as it is. */
int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

/* A new child that runs the program, without a copy of the caller in between; returns its pid. */
pid_t system_spawn(const char *path, char *const argv[], char *const envp[])
{
	struct message message = { 0 };

	return program_request(PROC_SPAWN, &message, path, argv, envp) ? -1 : (pid_t)message.w[0];
}

/* A copy of the process; returns 0 in the copy. */
pid_t fork(void)
{
	struct message message = { 0 };
	status_t status = posix_request(SLOT_PROC, PROC_FORK, 0, &message);

	if (status != ST_OK)
		return posix_fail(status, EAGAIN);
	if (message.w[0] == 0)
		own_pid = 0;
	return (pid_t)message.w[0];
}

/* Without address spaces to borrow: the same as fork. */
pid_t vfork(void)
{
	return fork();
}

/* Ends the process.  The request is not answered unless it failed: an interrupted one is made
   again, else the thread stops for good. */
void _exit(int exit_status)
{
	for (;;) {
		struct message message = { .w = { (uint64_t)(unsigned)exit_status & 0xff } };

		if (posix_request(SLOT_PROC, PROC_EXIT, 0, &message) != ST_INTERRUPTED)
			(void)kernel_call(CALL_THREAD, THREAD_SELF_STOP, 0, 0, 0, 0, 0, NULL);
	}
}

/* The wait status of a child as the library's macros take it apart. */
static int wait_status(uint64_t wire)
{
	unsigned number = (unsigned)wire & 0x7fu;

	return number ? posix_signal_from_wire(number) : (int)(wire & 0xff00u);
}

/* Waits for a child (-1: any) to end, or with WNOHANG only looks.  Process groups are not known
   here. */
pid_t waitpid(pid_t pid, int *status_out, int options)
{
	struct message message = { .w = { pid == -1 ? 0 : (uint64_t)pid,
					   options & WNOHANG ? PROC_WAIT_NOHANG : 0 } };
	status_t status;
	int result;

	if (pid < -1 || pid == 0 || (options & ~WNOHANG))
		return posix_fail_errno(EINVAL);
	status = posix_request(SLOT_PROC, PROC_WAIT, 0, &message);
	if (status != ST_OK)
		return posix_fail(status, ABSENT_CHILD);
	result = wait_status(message.w[1]);
	if (status_out && message.w[0] && posix_copy_out(status_out, &result, sizeof(result)))
		return -1;
	return (pid_t)message.w[0];
}

/* Waits for any child to end. */
pid_t wait(int *status_out)
{
	return waitpid(-1, status_out, 0);
}

/* Sends a signal to one process. */
int kill(pid_t pid, int signal_number)
{
	int wire = posix_signal_to_wire(signal_number);
	struct message message = { .w = { (uint64_t)pid, (uint64_t)wire } };
	status_t status;

	if (wire < 0)
		return -1;
	if (pid <= 0)
		return posix_fail_errno(EINVAL);
	status = posix_request(SLOT_PROC, PROC_KILL, 0, &message);
	return status == ST_OK ? 0 : posix_fail(status, ABSENT_PROCESS);
}

static status_t identity(pid_t *pid, pid_t *parent)
{
	struct message message = { 0 };
	status_t status = posix_request(SLOT_PROC, PROC_IDENTITY, 0, &message);

	*pid = (pid_t)message.w[0];
	*parent = (pid_t)message.w[1];
	return status;
}

/* The own process id; asked for once. */
pid_t getpid(void)
{
	pid_t pid, parent;

	if (!own_pid && identity(&pid, &parent) == ST_OK)
		own_pid = pid;
	return own_pid;
}

/* The parent's; it changes when the parent ends. */
pid_t getppid(void)
{
	pid_t pid, parent;

	return identity(&pid, &parent) == ST_OK ? parent : 0;
}
