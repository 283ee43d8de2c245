# Host tests of the pure parts of init, proc, files, console, time and the loader.
# SPDX-License-Identifier: BSD-2-Clause
HOST_TESTS += servers
servers_SOURCES := tests/host/servers_test.c servers/init/script.c servers/proc/process.c servers/files/directory.c \
	servers/console/line.c servers/console/readers.c servers/time/sleepers.c lib/loader_stack.c lib/server/print.c
