/*
 * Joins our terminal with the serial port of an emulator that wants a terminal device (Bochs).
 *
 * usage: console-relay LINK LOG COMMAND...
 *
 * LINK becomes a symbolic link to a new pseudo terminal; COMMAND is run with its output in LOG and
 * is expected to open LINK as the machine's serial port.  Whatever the machine writes there goes to
 * standard output.  When standard input is a terminal, it is made raw and goes to the machine;
 * Ctrl-A x ends COMMAND, Ctrl-A Ctrl-A sends one Ctrl-A.  Ends with COMMAND, and with its status.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { CONTROL_A = 1, WAIT_MS = 50, STATUS_STOPPED = 0, STATUS_BROKEN = 126 };

static struct termios terminal_before;
static bool terminal_is_raw;

static void terminal_restore(void)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "console-relay: %s: %s\n", what, strerror(errno));
	exit(STATUS_BROKEN);
}

static void terminal_make_raw(int fd)
{
	struct termios raw;

	if (tcgetattr(fd, &raw) != 0)
		fail("terminal");
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) != 0)
		fail("terminal");
}

static void stdin_make_raw(void)
{
	if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
		fail("terminal");
	terminal_is_raw = true;
	atexit(terminal_restore);
	terminal_make_raw(STDIN_FILENO);
}

/* Makes the pseudo terminal.  Our side is returned; the other side stays open here too, so that
   ours does not report an end before the emulator has opened it. */
static int pseudo_terminal_open(const char *link_name)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	const char *name;
	int other;

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		fail("pseudo terminal");
	name = ptsname(master);
	other = name == NULL ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (other < 0)
		fail("pseudo terminal");
	terminal_make_raw(other);
	if (symlink(name, link_name) != 0)
		fail(link_name);
	return master;
}

static pid_t command_start(const char *log, char **command)
{
	pid_t child = fork();
	int input, output;

	if (child < 0)
		fail("fork");
	if (child > 0)
		return child;
	input = open("/dev/null", O_RDONLY);
	output = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (input < 0 || output < 0)
		fail(log);
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(command[0], command);
	fail(command[0]);
}

static void write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t written = write(fd, bytes, count);

		if (written < 0 && errno != EINTR)
			fail("write");
		if (written > 0) {
			bytes += written;
			count -= (size_t)written;
		}
	}
}

/* Passes on what the machine wrote; returns false when there was nothing. */
static bool relay_output(int machine)
{
	char bytes[4096];
	ssize_t count = read(machine, bytes, sizeof(bytes));

	if (count <= 0)
		return false;
	write_all(STDOUT_FILENO, bytes, (size_t)count);
	return true;
}

/* Passes on what the user typed.  Returns false when the user asked to stop. */
static bool relay_input(int machine)
{
	static bool after_control_a;
	char bytes[256], kept[256];
	ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
	size_t kept_count = 0;

	if (count <= 0)
		return count < 0 && errno == EINTR;
	for (ssize_t i = 0; i < count; i++) {
		if (after_control_a && bytes[i] == 'x')
			return false;
		if (!after_control_a && bytes[i] == CONTROL_A) {
			after_control_a = true;
			continue;
		}
		after_control_a = false;
		kept[kept_count++] = bytes[i];
	}
	write_all(machine, kept, kept_count);
	return true;
}

static bool is_readable(const struct pollfd *entry)
{
	return (entry->revents & (POLLIN | POLLHUP)) != 0;
}

/* Relays until the command has ended or the user stops it; the wait status of the command. */
static int relay_until_end(int machine, pid_t child, bool interactive)
{
	struct pollfd entries[2] = {
		{ .fd = machine, .events = POLLIN },
		{ .fd = interactive ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int status = 0;

	for (;;) {
		int ready = poll(entries, 2, WAIT_MS);

		if (ready > 0 && is_readable(&entries[0]))
			relay_output(machine);
		if (ready > 0 && is_readable(&entries[1]) && !relay_input(machine)) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return STATUS_STOPPED;
		}
		if (ready <= 0 && waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

int main(int argc, char **argv)
{
	bool interactive = isatty(STDIN_FILENO) != 0;
	int machine, status;
	pid_t child;

	if (argc < 4) {
		fprintf(stderr, "usage: console-relay LINK LOG COMMAND...\n");
		return STATUS_BROKEN;
	}
	machine = pseudo_terminal_open(argv[1]);
	if (interactive)
		stdin_make_raw();
	child = command_start(argv[2], argv + 3);
	status = relay_until_end(machine, child, interactive);
	fcntl(machine, F_SETFL, O_NONBLOCK);
	while (relay_output(machine))
		;
	return status;
}
